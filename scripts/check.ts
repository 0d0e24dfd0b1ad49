import { writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { checkAcceptance } from './acceptance/check-acceptance.ts';
import { type Check, describeResult, runCheck } from './checks/check.ts';
import { sourcePaths } from './checks/source-paths.ts';
import { toolChecks } from './checks/tool-checks.ts';
import { judgeLayers, readSources } from './layers/check-layers.ts';
import { checkOpenApi } from './openapi/check-openapi.ts';
import { judgeCalls } from './openapi/hand-written-calls.ts';
import { checkSchemas } from './schemas/check-schemas.ts';

// `npm run check [-- --out FILE]`: every check that needs no running program, all at once; two cores are the machine
// CI has, and no check writes anything but docs/acceptance.md. Each says how many things it looked at; the last line adds up.
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values } = parseArgs({ options: { out: { type: 'string' } } });

const paths = await sourcePaths(root);
const sources = readSources(root, paths);

const checks: Check[] = [
  ...toolChecks(root),
  { name: 'layers', run: async () => judgeLayers(await sources) },
  { name: 'schemas', run: () => checkSchemas(join(root, 'schemas', 'v1')) },
  { name: 'openapi', run: () => checkOpenApi(root) },
  { name: 'calls', run: async () => judgeCalls(await sources) },
  { name: 'acceptance', run: () => checkAcceptance(root, paths, process.env.CI === undefined) },
];

const results = await Promise.all(checks.map(runCheck));
for (const result of results) console.log(describeResult(result));

const passed = results.filter((result) => result.passed).length;
const failed = results.length - passed;
if (values.out !== undefined) await writeFile(resolve(values.out), JSON.stringify({ passed, failed }));
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
