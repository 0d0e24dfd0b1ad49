import { readFile } from 'node:fs/promises';
import { posix } from 'node:path';
import type { CheckReport } from '../checks/check.ts';
import { findImports } from './find-imports.ts';
import { forbiddenEdge } from './forbidden-edge.ts';
import { isTest, type Room, roomOf } from './room.ts';

const maxLines = 500;
const forbiddenName = /^(utils?|helpers?|managers?|common|misc)$/;
/** The package's own name leads to its sdk. */
const ownPackage = /^waybill(\/|$)/;

export interface SourceFile {
  /** Relative to the root, forward slashes. */
  readonly path: string;
  readonly source: string;
}

/** Judges files: each has its place, its size and its name, and each import goes where it may. */
export function judgeLayers(files: readonly SourceFile[]): CheckReport {
  const known = new Set(files.map((file) => file.path));
  const problems: string[] = [];
  let imports = 0;
  for (const { path, source } of files) {
    const room = roomOf(path);
    if (room === undefined) {
      problems.push(`${path}: no rule says where this file belongs (scripts/layers/room.ts)`);
      continue;
    }
    problems.push(...sizeAndName(path, source).map((problem) => `${path}: ${problem}`));
    for (const { specifier, typesOnly, line } of findImports(path, source)) {
      imports += 1;
      const problem = judgeImport(path, room, specifier, typesOnly, known);
      if (problem !== undefined) problems.push(`${path}:${line}: ${problem}`);
    }
  }
  return { counts: { files: files.length, imports }, problems };
}

function judgeImport(
  path: string,
  from: Room,
  specifier: string | undefined,
  typesOnly: boolean,
  known: ReadonlySet<string>,
): string | undefined {
  // A test may bring together what its subject may not; it is no part of the program.
  if (from.layer === 'outside' || isTest(path)) return undefined;
  if (specifier === undefined) {
    return from.layer === 'main' || mayLoadCode(path) ? undefined : 'import() of a computed name cannot be judged';
  }
  if (ownPackage.test(specifier)) return forbiddenEdge(from, { layer: 'sdk' }, typesOnly);
  if (!specifier.startsWith('.')) return undefined;
  const target = posix.join(posix.dirname(path), specifier);
  if (specifier.endsWith('.json')) return undefined;
  if (!known.has(target)) return `imports ${specifier}, which is not there`;
  if (isTest(target)) return `imports the test ${target}`;
  const to = roomOf(target);
  return to === undefined ? undefined : forbiddenEdge(from, to, typesOnly);
}

/** The one purpose a computed import has: loading what a user wrote. */
function mayLoadCode(path: string): boolean {
  return /^src\/(surfaces\/cli|domain\/workspace|executors)\//.test(path);
}

function sizeAndName(path: string, source: string): string[] {
  const lines = source.split('\n').length - 1;
  const parts = path.replace(/(\.test)?\.ts$/, '').split('/');
  const bad = parts.filter((part) => part.split(/[-.]/).some((word) => forbiddenName.test(word)));
  return [
    ...(lines > maxLines ? [`${lines} lines, the ceiling is ${maxLines}`] : []),
    ...bad.map((part) => `"${part}" says nothing: name it after its one idea`),
  ];
}

export async function readSources(root: string, paths: readonly string[]): Promise<SourceFile[]> {
  return Promise.all(paths.map(async (path) => ({ path, source: await readFile(posix.join(root, path), 'utf8') })));
}
