import { WaybillError } from '../../../contract/errors.ts';
import { artifactsOf, type ProvenRun, type RunArtifact } from '../attestation/run-evidence.ts';
import type { Registry } from '../registry.ts';
import { matchingPaths } from './file-globs.ts';

/**
 * The files of a release: what the steps of its run made, or those of them that the globs name.
 * @throws WaybillError `draft_empty` when that is none, `invalid_argument` for a glob that names nothing
 */
export function chooseFiles(run: ProvenRun, globs: readonly string[]): readonly RunArtifact[] {
  const artifacts = artifactsOf(run);
  if (artifacts.length === 0) {
    throw new WaybillError('draft_empty', `the steps of ${run.runId} made no files that they said so of`, {
      hint: 'Let a step name what it makes: `expectedOutputs`, or `waybill exec --output FILE`; then run it again.',
      details: { runId: run.runId },
    });
  }
  if (globs.length === 0) return artifacts;
  const paths = artifacts.map(({ path }) => path);
  const chosen = new Set<string>();
  for (const glob of globs) {
    const named = matchingPaths(glob, paths);
    if (named.length === 0) throw namesNothing(glob, paths);
    for (const path of named) chosen.add(path);
  }
  return artifacts.filter(({ path }) => chosen.has(path));
}

/**
 * Keeps the bytes of the files from being collected while a version of them is made.
 * @throws WaybillError `blob_missing` with every file whose bytes are gone
 */
export async function holdBytes({ blobs }: Registry, files: readonly RunArtifact[]): Promise<void> {
  const gone: RunArtifact[] = [];
  for (const file of files) if ((await blobs.touch(file.digest))?.size !== file.size) gone.push(file);
  if (gone.length === 0) return;
  const names = gone.slice(0, 5).map(({ path }) => path);
  throw new WaybillError(
    'blob_missing',
    `the bytes of ${gone.length} files are not kept any more: ${names.join(', ')}`,
    {
      hint: 'A step keeps the bytes of what it made when it ends. Restore `.waybill/blobs` from a backup, import a bundle of the run, or run it again.',
      details: { files: gone.map(({ path, digest, size }) => ({ path, digest, size })) },
    },
  );
}

function namesNothing(glob: string, paths: readonly string[]): WaybillError {
  const some = paths.slice(0, 5).join(', ');
  return new WaybillError('invalid_argument', `no file the run made is named by ${JSON.stringify(glob)}`, {
    hint: `It made ${paths.length}: ${some}${paths.length > 5 ? ', ...' : ''}`,
    details: { glob, files: paths.length },
  });
}
