import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openApiDocument, renderDocument } from './openapi/document.ts';

// `node scripts/dev.mjs run scripts/openapi.ts` writes openapi/v1.json from the contract; `npm run check` says when that
// is due. `--accept` also makes it the baseline that later documents must not break: only for a release, or a break
// that is meant.
const folder = join(import.meta.dirname, '..', 'openapi');
const { values } = parseArgs({ options: { accept: { type: 'boolean', default: false } } });
const text = renderDocument(openApiDocument());
await writeFile(join(folder, 'v1.json'), text);
if (values.accept) await writeFile(join(folder, 'v1.baseline.json'), text);
