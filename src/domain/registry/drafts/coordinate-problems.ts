import { nearest } from '../../../platform/nearest/nearest.ts';
import type { RequestProblem } from '../entries/new-entry.ts';
import type { Coordinate } from '../package-types/package-type.ts';
import type { Registry } from '../registry.ts';

/** What is wrong with a coordinate by the rules of its type: everything about its name, then everything about its version. */
export function coordinateProblems(
  { types }: Pick<Registry, 'types'>,
  { type, name, version }: Coordinate,
): readonly RequestProblem[] {
  const rules = types.get(type);
  if (rules === undefined) {
    const like = nearest(type, types.keys());
    const known = like === undefined ? `there are ${[...types.keys()].join(', ')}` : `did you mean "${like}"?`;
    return [{ path: 'type', message: `is no type of packages here; ${known}` }];
  }
  return [
    ...rules.nameProblems(name).map((message) => ({ path: 'name', message })),
    ...rules.versionProblems(version).map((message) => ({ path: 'version', message })),
  ];
}
