import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { expect } from 'vitest';
import { z } from 'zod';
import type { Answer } from '../../src/surfaces/http/testing/open-test-server.ts';

const media = z.object({
  content: z.record(z.string(), z.object({ schema: z.unknown() })).default({}),
  headers: z.record(z.string(), z.object({ required: z.boolean().default(false) })).default({}),
});
const documentSchema = z.object({
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.object({
        operationId: z.string(),
        responses: z.record(z.string(), media.extend({ 'x-waybill-codes': z.array(z.string()).default([]) })),
      }),
    ),
  ),
  components: z.record(z.string(), z.json()),
});
const document = documentSchema.parse(
  JSON.parse(readFileSync(join(import.meta.dirname, '../../openapi/v1.json'), 'utf8')),
);

/** The ids of all operations the document has. */
export const operations: readonly string[] = Object.values(document.paths).flatMap((item) =>
  Object.values(item).map((each) => each.operationId),
);

/** Compares answers with the committed document; knows which statuses it has seen of which operations. */
export class Judge {
  readonly answered = new Set<string>();
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true });
  readonly #shapes = new Map<string, ValidateFunction>();

  constructor() {
    formats.default(this.#ajv);
    this.#ajv.addSchema({ $id: 'urn:waybill:document', components: document.components });
  }

  judge(method: string, path: string, answer: Answer): void {
    const place = `${method} ${path}`;
    const operation = operationOf(method, path);
    if (operation === undefined) throw new Error(`${place} is in no document`);
    const { status } = answer;
    this.answered.add(`${operation.operationId} ${status}`);
    const declared = operation.responses[String(status)];
    if (declared === undefined) throw new Error(`${place} answered ${status}, which is not declared: ${answer.text}`);
    const needed = Object.entries(declared.headers).filter(([, header]) => header.required);
    for (const [name] of needed) expect(answer.headers, place).toHaveProperty([name]);
    const type = `${answer.headers['content-type'] ?? ''}`.split(';')[0] ?? '';
    const types = Object.keys(declared.content);
    if (types.length === 0) {
      expect(answer.text, place).toBe('');
      return;
    }
    const media = types.includes('*/*') ? '*/*' : type;
    expect(types, place).toContain(media);
    if (method === 'HEAD') {
      expect(answer.text, place).toBe('');
      return;
    }
    for (const value of valuesOf(type, answer)) {
      const validate = this.#shape(JSON.stringify(declared.content[media]?.schema));
      expect(validate(value), `${place} ${status}: ${this.#ajv.errorsText(validate.errors)} in ${answer.text}`).toBe(
        true,
      );
    }
    if (type !== 'application/problem+json') return;
    const { code } = z.object({ code: z.string() }).parse(answer.json);
    expect(declared['x-waybill-codes'], `${place} ${status}`).toContain(code);
  }

  #shape(schema: string): ValidateFunction {
    const known = this.#shapes.get(schema);
    if (known !== undefined) return known;
    const absolute = z
      .record(z.string(), z.json())
      .parse(JSON.parse(schema.replaceAll('"#/', '"urn:waybill:document#/')));
    const compiled = this.#ajv.compile(absolute);
    this.#shapes.set(schema, compiled);
    return compiled;
  }
}

/** The operation of a path: that with the fewest parameters, so that `/versions/drafts` is no `/{type}/{name}`. */
function operationOf(method: string, path: string) {
  const [plain = ''] = path.split('?');
  const parts = plain.split('/');
  const open = (template: string) => template.split('{').length;
  const templates = Object.keys(document.paths).sort((a, b) => open(a) - open(b));
  for (const template of templates) {
    const operation = document.paths[template]?.[method.toLowerCase()];
    if (operation !== undefined && fits(template.split('/'), parts)) return operation;
  }
  return undefined;
}

/** A parameter at the end of a path, `path`, may be several parts. */
function fits(template: readonly string[], parts: readonly string[]): boolean {
  const long = template.at(-1) === '{path}' && template.includes('files');
  if (long ? parts.length < template.length : parts.length !== template.length) return false;
  return template.every((part, index) => part.startsWith('{') || part === parts[index]);
}

function valuesOf(type: string, { text, json }: Answer): unknown[] {
  if (type === 'application/x-ndjson')
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  if (type === 'text/event-stream')
    return [...text.matchAll(/^data: (.*)$/gm)].map(([, line = '']) => JSON.parse(line));
  return [type.endsWith('json') ? json : text];
}
