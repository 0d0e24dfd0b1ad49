import { createReadStream } from 'node:fs';
import { relative, sep } from 'node:path';
import { z } from 'zod';
import { WaybillError } from '../../../contract/errors.ts';
import { DigestStream } from '../../../platform/digests/digest.ts';
import { systemCode } from '../../../platform/files/file-write-failed.ts';
import type { PublicKey } from '../../../platform/signatures/public-key.ts';
import type { Coordinate } from '../package-types/package-type.ts';
import { formatCoordinate } from '../packages/parse-coordinate.ts';
import type { Registry } from '../registry.ts';
import type { Releases } from '../release/releases.ts';
import { BrokenRelease } from './release-link.ts';
import { brokenRelease, type ReleaseVerification } from './verify-release.ts';
import { verifyVersion } from './verify-version.ts';

export interface VerifyFile {
  readonly repo: string;
  /** The file as it lies on disk. */
  readonly path: string;
  readonly key: PublicKey | null;
  readonly checkout: string | null;
}

/** The chain of the version a file belongs to. */
export interface FileVerification extends ReleaseVerification {
  readonly file: {
    readonly path: string;
    readonly digest: string;
    /** The path of the entry whose bytes it has, or should have. */
    readonly entry: string;
    /** Further versions with these bytes. */
    readonly alsoIn: readonly string[];
  };
}

interface Found extends Coordinate {
  readonly path: string;
  readonly digest: string;
}

/**
 * Finds the version a file comes from, by its digest, and verifies the whole chain of the one published last. A file that
 * no version holds, and that has the path of one that a version does, is a broken link.
 * @throws WaybillError `entry_not_found`, `file_read_failed`
 */
export async function verifyFile(releases: Releases, request: VerifyFile): Promise<FileVerification> {
  const { registry, root } = releases;
  const { repo, path, key, checkout } = request;
  const digest = await digestOfFile(path);
  const [first, ...others] = await entriesWith(registry, repo, { digest });
  if (first !== undefined) {
    const { type, name, version } = first;
    const found = await verifyVersion(releases, { repo, coordinate: { type, name, version }, key, checkout });
    return { ...found, file: { path, digest, entry: first.path, alsoIn: others.map(formatCoordinate) } };
  }
  const [likely] = await entriesWith(registry, repo, { paths: endsOf(relative(root, path)) });
  if (likely === undefined) throw unknownFile(repo, path, digest);
  const where = `${path}, which should be ${likely.path}`;
  const broken = new BrokenRelease('package', where, likely.digest, digest);
  const answer = brokenRelease(formatCoordinate(likely), broken);
  return { ...answer, file: { path, digest, entry: likely.path, alsoIn: [] } };
}

async function entriesWith(
  { store }: Registry,
  repo: string,
  wanted: { readonly digest: string } | { readonly paths: readonly string[] },
): Promise<readonly Found[]> {
  return await store.read(async ({ db }) => {
    const query = db
      .selectFrom('version_entry as entry')
      .innerJoin('version', 'version.id', 'entry.version')
      .innerJoin('package', 'package.id', 'version.package')
      .select(['package.type', 'package.name', 'version.version', 'entry.path', 'entry.digest'])
      .where('version.repo', '=', repo)
      .where('version.state', '<>', 'draft')
      .orderBy('version.published_at', 'desc')
      .orderBy('version.id')
      .limit(100);
    return 'digest' in wanted
      ? await query.where('entry.digest', '=', wanted.digest).execute()
      : await query.where('entry.path', 'in', [...wanted.paths]).execute();
  });
}

/** `a/b/c`, `b/c` and `c`: a file may have been unpacked anywhere. */
function endsOf(path: string): readonly string[] {
  const names = path.split(sep).filter((name) => name !== '..' && name !== '');
  return names.map((_, at) => names.slice(at).join('/'));
}

async function digestOfFile(path: string): Promise<string> {
  const stream = new DigestStream();
  try {
    for await (const part of createReadStream(path)) stream.update(z.instanceof(Uint8Array).parse(part));
  } catch (error) {
    throw new WaybillError(
      'file_read_failed',
      `cannot read ${path}: ${error instanceof Error ? error.message : error}`,
      {
        hint: 'Check that this user may read it.',
        details: { path, systemCode: systemCode(error) ?? null },
        cause: error,
      },
    );
  }
  return stream.finish();
}

function unknownFile(repo: string, path: string, digest: string): WaybillError {
  return new WaybillError('entry_not_found', `no version in the repo ${repo} holds ${path} (${digest})`, {
    hint: `See what is published with: waybill packages --repo ${repo}`,
    details: { repo, path, digest },
  });
}
