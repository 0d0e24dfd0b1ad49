import { releaseManifestMediaType, releaseManifestSchema } from '../../../contract/release-manifest.ts';
import { plainNameProblems, plainVersionProblems } from './generic.ts';
import type { ManifestProblem, PackageType } from './package-type.ts';
import { readShape } from './shape-of-json.ts';

/** What a run made; the manifest says which run, from which commit, and every file. */
export const waybillRunType: PackageType = {
  type: 'waybill-run',
  mediaTypes: [releaseManifestMediaType, 'application/json'],
  nameProblems: plainNameProblems,
  versionProblems: plainVersionProblems,
  manifestProblems: ({ body }, { coordinate, entries, run }) => {
    const read = readShape(body, releaseManifestSchema);
    if ('problems' in read) return read.problems;
    const { value } = read;
    const problems: ManifestProblem[] = [];
    if (value.package.name !== coordinate.name) {
      problems.push({ pointer: '/package/name', message: `must be "${coordinate.name}"` });
    }
    if (value.package.version !== coordinate.version) {
      problems.push({ pointer: '/package/version', message: `must be "${coordinate.version}"` });
    }
    if (run !== undefined && value.run !== run) {
      problems.push({
        pointer: '/run',
        message: run === null ? 'is not that of the draft, which names none' : `must be ${run}`,
      });
    }
    const byPath = new Map(entries.map((entry) => [entry.path, entry]));
    const named = new Set<string>();
    value.artifacts.forEach(({ path, digest, size }, index) => {
      const pointer = `/artifacts/${index}`;
      if (named.has(path)) problems.push({ pointer: `${pointer}/path`, message: 'is named twice' });
      named.add(path);
      const entry = byPath.get(path);
      if (entry === undefined) problems.push({ pointer: `${pointer}/path`, message: 'is no entry', pending: true });
      else if (entry.digest !== digest) {
        problems.push({
          pointer: `${pointer}/digest`,
          message: `is not that of the entry, ${entry.digest}`,
          pending: true,
        });
      } else if (entry.size !== size) {
        problems.push({ pointer: `${pointer}/size`, message: `is not that of the entry, ${entry.size}` });
      }
    });
    for (const { path } of entries) {
      if (named.has(path)) continue;
      const message = `does not name the entry ${JSON.stringify(path)}: all of a release comes from its run`;
      problems.push({ pointer: '/artifacts', message, pending: true });
    }
    return problems;
  },
};
