import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import type { JsonObject } from '../../src/contract/json.ts';
import { jsonValueSchema } from '../../src/contract/json-value.ts';
import type { CheckReport } from '../checks/check.ts';
import { operationsWithoutExample, renderApiPage } from './api-page.ts';
import { type Canary, canaries, compatible } from './canaries.ts';
import { compareDocuments } from './compare-documents.ts';
import { openApiDocument, renderDocument } from './document.ts';
import { same } from './json.ts';
import { structureProblems } from './structure.ts';

const regenerate = 'run "node scripts/dev.mjs run scripts/openapi.ts" and look at the change';
const accept = 'if the break is meant, run "node scripts/dev.mjs run scripts/openapi.ts --accept"';
const documentSchema: z.ZodType<JsonObject> = z.record(z.string(), jsonValueSchema);

/**
 * Holds `openapi/v1.json` against the contract (drift) and against the last released one, `openapi/v1.baseline.json`
 * (breaking changes). Proves in the same run that the comparison finds each canary and is silent where it should be.
 */
export async function checkOpenApi(root: string): Promise<CheckReport> {
  const document = openApiDocument();
  const problems = [
    ...structureProblems(document),
    ...(await driftProblems(root, renderDocument(document))),
    ...(await pageProblems(root, document)),
  ];
  const baseline = join(root, 'openapi', 'v1.baseline.json');
  if (!existsSync(baseline)) {
    problems.push('openapi/v1.baseline.json is missing: restore it; without it nothing tells what a change breaks');
    return { counts: { canaries: canaries.length }, problems };
  }
  const released = documentSchema.parse(JSON.parse(await readFile(baseline, 'utf8')));
  const { problems: breaks, counts } = compareDocuments(released, document);
  if (breaks.length > 0) problems.push(...breaks, `${breaks.length} changes break clients of the release: ${accept}`);
  const caught = canaries.filter((canary) => isCaught(document, canary));
  for (const { name } of canaries.filter((each) => !caught.includes(each))) problems.push(`not noticed: ${name}`);
  problems.push(...falseAlarms(document));
  return { counts: { ...counts, canaries: caught.length }, problems };
}

/** True when the comparison finds the change, and says about it what it should. */
export function isCaught(document: JsonObject, { change, says }: Canary): boolean {
  return compareDocuments(document, change(document)).problems.some((problem) => says.test(problem));
}

function falseAlarms(document: JsonObject): string[] {
  const after = compatible(document);
  if (same(document, after)) return ['the changes that break nobody changed nothing'];
  return compareDocuments(document, after).problems.map((problem) => `breaks nobody, and yet: ${problem}`);
}

/** What `docs/api.md` says wrong, or does not show. */
async function pageProblems(root: string, document: JsonObject): Promise<string[]> {
  const page = await readFile(join(root, 'docs', 'api.md'), 'utf8');
  const rendered = await renderApiPage(page, document);
  return [
    ...(page === rendered ? [] : [`docs/api.md differs from the contract: ${regenerate}`]),
    ...operationsWithoutExample(page, document).map((id) => `docs/api.md has no example of ${id}`),
  ];
}

async function driftProblems(root: string, expected: string): Promise<string[]> {
  const file = join(root, 'openapi', 'v1.json');
  const problems: string[] = [];
  if (!existsSync(file)) problems.push(`openapi/v1.json is missing: ${regenerate}`);
  else if ((await readFile(file, 'utf8')) !== expected)
    problems.push(`openapi/v1.json differs from the contract: ${regenerate}`);
  const untracked = await promisify(execFile)('git', ['ls-files', '--others', '--', 'openapi'], { cwd: root });
  for (const path of untracked.stdout.split('\n').filter(Boolean))
    problems.push(`${path} is not in git: add or remove it`);
  return problems;
}
