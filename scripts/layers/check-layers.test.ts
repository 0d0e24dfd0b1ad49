import { describe, expect, test } from 'vitest';
import { judgeLayers, type SourceFile } from './check-layers.ts';

const ports = { path: 'src/domain/runs/ports.ts', source: 'export interface P {}\n' };
const store = { path: 'src/platform/store/store.ts', source: 'export const s = 1;\n' };
const errors = { path: 'src/contract/errors.ts', source: 'export const e = 1;\n' };

function problemsOf(...files: SourceFile[]): readonly string[] {
  return judgeLayers(files).problems;
}

describe('edges that are allowed', () => {
  test.each([
    ['src/surfaces/cli/show.ts', "import { s } from '../../platform/store/store.ts';", store],
    ['src/domain/runs/cancel.ts', "import type { P } from './ports.ts';", ports],
    ['src/domain/incidents/open.ts', "import type { P } from '../runs/ports.ts';", ports],
    ['src/executors/agents/open.ts', "import type { P } from '../../domain/runs/ports.ts';", ports],
    ['src/executors/agents/open.ts', "import { type P } from '../../domain/runs/ports.ts';", ports],
    ['src/platform/clock/clock.ts', "import { e } from '../../contract/errors.ts';", errors],
    ['src/main.ts', "import { s } from './platform/store/store.ts';", store],
    ['src/contract/ids.ts', "import { z } from 'zod';", errors],
    ['src/contract/errors.test.ts', "import { s } from '../platform/store/store.ts';", store],
  ])('%s: %s', (path, source, target) => {
    expect(problemsOf({ path, source: `${source}\n` }, target)).toEqual([]);
  });
});

describe('canaries: each forbidden edge is caught', () => {
  const main = { path: 'src/main.ts', source: 'export const m = 1;\n' };
  const view = { path: 'src/views/runs.ts', source: 'export const v = 1;\n' };
  const cli = { path: 'src/surfaces/cli/show.ts', source: 'export const c = 1;\n' };
  const gates = { path: 'src/domain/gates/pass.ts', source: 'export const g = 1;\n' };
  const sdk = { path: 'src/sdk/agent/index.ts', source: 'export const a = 1;\n' };
  const agents = { path: 'src/executors/agents/open.ts', source: 'export const o = 1;\n' };
  const testFile = { path: 'src/contract/errors.test.ts', source: 'export const t = 1;\n' };
  test.each([
    ['contract imports platform', 'src/contract/x.ts', "import { s } from '../platform/store/store.ts';", store],
    ['platform imports domain', 'src/platform/x/x.ts', "import type { P } from '../../domain/runs/ports.ts';", ports],
    ['domain imports executors', 'src/domain/runs/x.ts', "import { o } from '../../executors/agents/open.ts';", agents],
    ['domain imports views', 'src/domain/runs/x.ts', "export * from '../../views/runs.ts';", view],
    ['a feature imports one right of it', 'src/domain/decisions/x.ts', "import { g } from '../gates/pass.ts';", gates],
    [
      'executors import more than ports',
      'src/executors/x/x.ts',
      "import type { G } from '../../domain/gates/pass.ts';",
      gates,
    ],
    [
      'executors import a value of ports',
      'src/executors/x/x.ts',
      "import { P } from '../../domain/runs/ports.ts';",
      ports,
    ],
    [
      'executors import a surface',
      'src/executors/x/x.ts',
      "const { c } = await import('../../surfaces/cli/show.ts');",
      cli,
    ],
    [
      'surfaces import executors',
      'src/surfaces/cli/x.ts',
      "import { o } from '../../executors/agents/open.ts';",
      agents,
    ],
    ['workers import views', 'src/workers/x.ts', "import { v } from '../views/runs.ts';", view],
    ['workers import executors', 'src/workers/x.ts', "import { o } from '../executors/agents/open.ts';", agents],
    ['views import surfaces', 'src/views/x.ts', "import { c } from '../surfaces/cli/show.ts';", cli],
    ['sdk imports platform', 'src/sdk/agent/x.ts', "import { s } from '../../platform/store/store.ts';", store],
    [
      'domain imports the sdk by its path',
      'src/domain/runs/x.ts',
      "import { a } from '../../sdk/agent/index.ts';",
      sdk,
    ],
    ['domain imports the sdk by its name', 'src/domain/runs/x.ts', "import { a } from 'waybill/agent';", sdk],
    ['somebody imports main', 'src/surfaces/cli/x.ts', "import { m } from '../../main.ts';", main],
    ['a type in type position', 'src/contract/x.ts', "export type T = import('../platform/store/store.ts').s;", store],
    ['tables added to another room', 'src/contract/x.ts', "declare module '../platform/store/store.ts' {}", store],
    ['the program imports a test', 'src/contract/x.ts', "import './errors.test.ts';", testFile],
    ['a file that is not there', 'src/contract/x.ts', "import './gone.ts';", store],
    ['import() of a computed name', 'src/contract/x.ts', 'const p = 1; await import(p);', store],
  ])('%s', (_what, path, source, target) => {
    const problems = problemsOf({ path, source: `${source}\n` }, target);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(new RegExp(`^${path}:1: `));
  });

  test.each(['src/lost.ts', 'src/stray/x.ts', 'src/domain/x.ts', 'src/domain/billing/x.ts', 'lost.ts'])(
    'a file that has no place: %s',
    (path) => {
      expect(problemsOf({ path, source: '' })).toEqual([expect.stringContaining('no rule says where')]);
    },
  );

  test.each(['src/platform/utils/x.ts', 'src/platform/x/string-helpers.ts', 'src/domain/runs/run-manager.ts'])(
    'a name that says nothing: %s',
    (path) => {
      expect(problemsOf({ path, source: '' })).toEqual([expect.stringContaining('says nothing')]);
    },
  );

  test('a file of 501 lines is caught, one of 500 is not', () => {
    expect(problemsOf({ path: 'src/contract/x.ts', source: '//\n'.repeat(500) })).toEqual([]);
    expect(problemsOf({ path: 'src/contract/x.ts', source: '//\n'.repeat(501) })).toEqual([
      expect.stringContaining('501 lines'),
    ]);
  });

  test('a source that does not parse is an error, not a file without imports', () => {
    expect(() => problemsOf({ path: 'src/contract/x.ts', source: 'import { from' })).toThrow(/does not parse/);
  });
});

test('words that only look like imports are not counted', () => {
  const source = `// import './no.ts';\nconst s = "import './no.ts'";\nconst r = /import '.\\/no.ts'/;\n`;
  expect(judgeLayers([{ path: 'src/contract/x.ts', source }]).counts).toEqual({ files: 1, imports: 0 });
});
