import { parseSync, Visitor } from 'oxc-parser';
import type { CheckReport } from '../checks/check.ts';
import type { SourceFile } from '../layers/check-layers.ts';

/**
 * Where our routes are declared, served and called; tests, benchmarks and the demo talk to a daemon as strangers do, and
 * webhooks are the servers of others.
 */
const homes = [
  'src/contract/api/',
  'src/surfaces/http/',
  'src/sdk/client/',
  'src/executors/webhooks/',
  'scripts/openapi/',
  'test/',
  'bench/',
  'demo/',
] as const;

/** What a hand-written call looks like: the path of a route, or the means to ask for one. */
const ofRoute = /(?<![A-Za-z])\/v1(?:\/|$)/;
const modules = /^(?:node:)?(?:https?|http2)$|^undici$/;

/**
 * Finds calls to our API that do not go through the client (`src/sdk/client/`): paths of routes in strings, `fetch`, and
 * modules that make requests.
 * @throws Error when the source does not parse: then nothing is known about it
 */
export function findCalls(path: string, source: string): string[] {
  const { program, errors } = parseSync(path, source);
  const [error] = errors;
  if (error !== undefined) throw new Error(`${path} does not parse: ${error.message}`);
  const found: string[] = [];
  const report = (start: number, what: string) => {
    found.push(`${path}:${source.slice(0, start).split('\n').length}: ${what}: use waybill/client`);
  };
  const judgeText = (text: string, start: number) => {
    if (ofRoute.test(text)) report(start, 'the path of a route');
    if (modules.test(text)) report(start, `the module "${text}"`);
  };
  new Visitor({
    Literal: ({ value, start }) => {
      if (typeof value === 'string') judgeText(value, start);
    },
    TemplateElement: ({ value, start }) => judgeText(value.cooked ?? value.raw, start),
    CallExpression: ({ callee, start }) => {
      const name = callee.type === 'MemberExpression' && !callee.computed ? callee.property : callee;
      if (name.type === 'Identifier' && name.name === 'fetch') report(start, 'a call of fetch');
    },
  }).visit(program);
  return found;
}

/** What must be found, and what must not: the check tries these first. */
const canaries = [
  `await fetch(\`\${url}/v1/runs\`);`,
  "const path = '/v1/runs';",
  `const path = \`http://127.0.0.1:\${port}/v1/tools/\${id}\`;`,
  "globalThis.fetch(new URL('runs', base));",
  "import { request } from 'node:http';",
  "const https = await import('https');",
] as const;
const harmless = [
  "import schema from './schemas/v1/command.v1.json' with { type: 'json' };",
  '// calls fetch(`/v1/runs`) some day',
  "const name = 'v1'; client.runs.submit({ body }); repository.fetchAll();",
] as const;

/** Judges every TypeScript file outside the homes of the API and outside tests. */
export function judgeCalls(files: readonly SourceFile[]): CheckReport {
  const judged = files.filter(({ path }) => !path.endsWith('.test.ts') && !homes.some((home) => path.startsWith(home)));
  const missed = canaries.filter((source) => findCalls('canary.ts', source).length === 0);
  const alarms = harmless.filter((source) => findCalls('harmless.ts', source).length > 0);
  return {
    counts: { files: judged.length, canaries: canaries.length - missed.length },
    problems: [
      ...judged.flatMap(({ path, source }) => findCalls(path, source)),
      ...missed.map((source) => `not noticed: ${source}`),
      ...alarms.map((source) => `harmless, and yet found: ${source}`),
    ],
  };
}
