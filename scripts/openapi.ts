import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { renderApiPage } from './openapi/api-page.ts';
import { openApiDocument, renderDocument } from './openapi/document.ts';

// `node scripts/dev.mjs run scripts/openapi.ts` writes openapi/v1.json, and what is made in docs/api.md, from the contract;
// `npm run check` says when that is due. `--accept` also makes it the baseline that later documents must not break: only for a release, or a break
// that is meant.
const root = join(import.meta.dirname, '..');
const folder = join(root, 'openapi');
const page = join(root, 'docs', 'api.md');
const { values } = parseArgs({ options: { accept: { type: 'boolean', default: false } } });
const document = openApiDocument();
const text = renderDocument(document);
await writeFile(join(folder, 'v1.json'), text);
await writeFile(page, await renderApiPage(await readFile(page, 'utf8'), document));
if (values.accept) await writeFile(join(folder, 'v1.baseline.json'), text);
