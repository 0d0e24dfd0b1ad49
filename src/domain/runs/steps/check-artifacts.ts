import { lstat, realpath } from 'node:fs/promises';
import { relative, sep } from 'node:path';
import { WaybillError } from '../../../contract/errors.ts';
import type { Artifact } from '../../../contract/workflow.ts';
import { resolveInside } from '../../../platform/files/safe-path.ts';
import type { ArtifactClaim, BlobPort } from '../ports.ts';

/** Where a workspace keeps its store; no part of the tree. */
const ourFolder = '.waybill';

/**
 * Holds what an agent claims against what is there, and keeps the bytes: the file exists, is a regular file
 * inside the workspace (by its real path), and has the claimed size and digest.
 * @throws WaybillError `artifact_missing`, `artifact_outside`, `artifact_size_mismatch`, `artifact_digest_mismatch`
 */
export async function checkClaims(
  claims: readonly ArtifactClaim[],
  expected: readonly string[],
  root: string,
  blobs: BlobPort,
): Promise<Artifact[]> {
  const missing = expected.filter((path) => !claims.some((claim) => claim.path === path));
  if (missing.length > 0) {
    throw new WaybillError('artifact_missing', `the agent did not claim what the step expects: ${missing.join(', ')}`, {
      hint: 'An agent names every expected output in `artifacts` of its completed event.',
      details: { missing },
    });
  }
  const kept: Artifact[] = [];
  for (const claim of claims) {
    const found = await keepArtifact(claim.path, root, blobs);
    if (found.size !== claim.size) {
      throw new WaybillError(
        'artifact_size_mismatch',
        `${claim.path} has ${found.size} bytes, the agent claims ${claim.size}`,
        {
          details: { path: claim.path, expected: claim.size, actual: found.size },
        },
      );
    }
    if (found.digest !== claim.digest) {
      throw new WaybillError(
        'artifact_digest_mismatch',
        `${claim.path} is ${found.digest}, the agent claims ${claim.digest}`,
        {
          details: { path: claim.path, expected: claim.digest, actual: found.digest },
        },
      );
    }
    kept.push(found);
  }
  return kept;
}

/** Reads one file of the workspace into the blobs. @throws WaybillError `artifact_missing`, `artifact_outside` */
export async function keepArtifact(path: string, root: string, blobs: BlobPort): Promise<Artifact> {
  const file = await placeInside(path, root);
  const { digest, size } = await blobs.putFile(file);
  // Keys in the order a receipt keeps them: a workflow may print what it gets.
  return { digest, path, size };
}

async function placeInside(path: string, root: string): Promise<string> {
  const real = await resolveInside(root, path).catch((error: unknown) => {
    throw outside(path, error);
  });
  // Not only because what lies there is ours: reading the database's file beside its connection loses its locks
  // (https://www.sqlite.org/howtocorrupt.html, section 2.2).
  if (relative(await realpath(root), real).split(sep)[0] === ourFolder) {
    throw outside(path, new Error(`it lies in ${ourFolder}`));
  }
  const info = await lstat(real).catch(() => undefined);
  if (info?.isFile() === true) return real;
  throw new WaybillError('artifact_missing', `${path} is not there, or is not a regular file`, { details: { path } });
}

function outside(path: string, cause: unknown): WaybillError {
  return new WaybillError('artifact_outside', `${JSON.stringify(path)} does not lie inside the workspace`, {
    hint: 'Artifact paths are relative to the workspace, with forward slashes and without `..`.',
    details: { path },
    cause,
  });
}
