import { z } from 'zod';
import { digestOf } from '../../../platform/digests/digest.ts';
import { npmNameProblems, semverProblems } from './npm-coordinate.ts';
import type { Entry, ManifestProblem, PackageType } from './package-type.ts';
import { jsonPointer } from './read-json.ts';
import { readShape } from './shape-of-json.ts';

const texts = z.array(z.string());
const byName = z.record(z.string(), z.string());
const person = z.union([
  z.string(),
  z.looseObject({ name: z.string(), email: z.string().optional(), url: z.string().optional() }),
]);
const link = z.union([z.string(), z.looseObject({ url: z.string().optional() })]);

/** The fields of https://docs.npmjs.com/cli/configuring-npm/package-json; all others may hold anything. */
const packageJson = z.looseObject({
  name: z.string(),
  version: z.string(),
  description: z.string().optional(),
  keywords: texts.optional(),
  homepage: z.string().optional(),
  bugs: z.union([z.string(), z.looseObject({ url: z.string().optional(), email: z.string().optional() })]).optional(),
  license: z.string().optional(),
  author: person.optional(),
  contributors: z.array(person).optional(),
  maintainers: z.array(person).optional(),
  funding: z.union([link, z.array(link)]).optional(),
  repository: z.union([z.string(), z.looseObject({ type: z.string().optional(), url: z.string() })]).optional(),
  type: z.enum(['commonjs', 'module']).optional(),
  main: z.string().optional(),
  module: z.string().optional(),
  browser: z.union([z.string(), z.looseObject({})]).optional(),
  types: z.string().optional(),
  typings: z.string().optional(),
  bin: z.union([z.string(), byName]).optional(),
  man: z.union([z.string(), texts]).optional(),
  files: texts.optional(),
  directories: z.looseObject({}).optional(),
  scripts: byName.optional(),
  config: z.looseObject({}).optional(),
  dependencies: byName.optional(),
  devDependencies: byName.optional(),
  peerDependencies: byName.optional(),
  peerDependenciesMeta: z.record(z.string(), z.looseObject({ optional: z.boolean().optional() })).optional(),
  optionalDependencies: byName.optional(),
  bundleDependencies: z.union([z.boolean(), texts]).optional(),
  bundledDependencies: z.union([z.boolean(), texts]).optional(),
  engines: byName.optional(),
  os: texts.optional(),
  cpu: texts.optional(),
  libc: z.union([z.string(), texts]).optional(),
  private: z.literal(false, { error: 'must not be true: npm publishes no private package' }).optional(),
  publishConfig: z.looseObject({}).optional(),
  workspaces: z.union([texts, z.looseObject({})]).optional(),
});

/** Files of an npm package, unpacked; the manifest is its `package.json`. */
export const npmType: PackageType = {
  type: 'npm',
  mediaTypes: ['application/json', 'application/vnd.npm.package+json'],
  nameProblems: npmNameProblems,
  versionProblems: semverProblems,
  manifestProblems: ({ body }, { coordinate, entries }) => {
    const read = readShape(body, packageJson);
    if ('problems' in read) return read.problems;
    const { name, version, main, bin } = read.value;
    const problems: ManifestProblem[] = [];
    if (name !== coordinate.name) problems.push({ pointer: '/name', message: `must be "${coordinate.name}"` });
    if (version !== coordinate.version) {
      problems.push({ pointer: '/version', message: `must be "${coordinate.version}"` });
    }
    const paths = new Set(entries.map(({ path }) => path));
    if (main !== undefined) problems.push(...fileProblem('/main', main, candidatesOfMain, paths));
    for (const [pointer, file] of binFiles(bin)) problems.push(...fileProblem(pointer, file, (path) => [path], paths));
    return [...problems, ...ownFileProblem(entries, body)];
  },
};

function binFiles(bin: string | Readonly<Record<string, string>> | undefined): readonly (readonly [string, string])[] {
  if (bin === undefined) return [];
  if (typeof bin === 'string') return [['/bin', bin]];
  return Object.entries(bin).map(([command, file]) => [jsonPointer(['bin', command]), file]);
}

function fileProblem(
  pointer: string,
  file: string,
  candidates: (path: string) => readonly string[],
  paths: ReadonlySet<string>,
): readonly ManifestProblem[] {
  const path = insidePath(file);
  if (path === undefined) return [{ pointer, message: 'must name a file inside of the package' }];
  if (candidates(path).some((each) => paths.has(each))) return [];
  return [{ pointer, message: `names ${JSON.stringify(file.slice(0, 200))}, which is no entry`, pending: true }];
}

/** `./lib/../a.js` as `a.js`; '' is the package's own folder. Undefined when it leads out of it. */
function insidePath(file: string): string | undefined {
  if (file.startsWith('/') || file.includes('\\') || file.includes('\0')) return undefined;
  const inside: string[] = [];
  for (const segment of file.split('/')) {
    if (segment === '..') {
      if (inside.pop() === undefined) return undefined;
    } else if (segment !== '' && segment !== '.') inside.push(segment);
  }
  return inside.join('/');
}

/** As Node finds it: https://nodejs.org/api/modules.html#all-together, LOAD_AS_FILE and LOAD_INDEX. */
function candidatesOfMain(path: string): readonly string[] {
  const asFile = path === '' ? [] : [path, `${path}.js`, `${path}.json`, `${path}.node`];
  const folder = path === '' ? '' : `${path}/`;
  return [...asFile, `${folder}index.js`, `${folder}index.json`, `${folder}index.node`];
}

/** A `package.json` among the files is the manifest: nobody gets to see two that differ. */
function ownFileProblem(entries: readonly Entry[], body: Uint8Array): readonly ManifestProblem[] {
  const own = entries.find(({ path }) => path === 'package.json');
  if (own === undefined || own.digest === digestOf(body)) return [];
  return [{ pointer: '', message: `differs from the entry package.json, ${own.digest}`, pending: true }];
}
