import { readdirSync, readFileSync } from 'node:fs';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { describe, expect, test } from 'vitest';
import { checkSchemas } from './check-schemas.ts';
import { published } from './published.ts';

const folder = join(import.meta.dirname, '..', '..', 'schemas', 'v1');

function readJson(file: string): unknown {
  return JSON.parse(readFileSync(file, 'utf8'));
}

function examples(kind: 'valid' | 'invalid', name: string): string[] {
  return readdirSync(join(folder, 'examples', kind, name)).map((file) => join(folder, 'examples', kind, name, file));
}

describe.each(Object.entries(published))('R11 %s.v1.json', (name, { source }) => {
  const schema = readJson(join(folder, `${name}.v1.json`));
  if (typeof schema !== 'object' || schema === null) throw new Error('not a schema');
  const ajv = new Ajv2020({ strict: true, strictTypes: false, strictTuples: false, allErrors: true });
  formats.default(ajv);
  const validate = ajv.compile(schema);

  test('takes each valid example, and so does its source', () => {
    const files = examples('valid', name);
    expect(files.length).toBeGreaterThanOrEqual(2);
    for (const file of files) {
      expect(validate(readJson(file)), `${file}: ${ajv.errorsText(validate.errors)}`).toBe(true);
      expect(source.safeParse(readJson(file)).error, file).toBeUndefined();
    }
  });

  test('refuses each invalid example, and so does its source', () => {
    const files = examples('invalid', name);
    expect(files.length).toBeGreaterThanOrEqual(2);
    for (const file of files) {
      expect(validate(readJson(file)), file).toBe(false);
      expect(source.safeParse(readJson(file)).success, file).toBe(false);
    }
  });

  test('names are camelCase everywhere', () => {
    const names = new Set<string>();
    const collect = (part: unknown): void => {
      if (typeof part !== 'object' || part === null) return;
      if ('properties' in part && typeof part.properties === 'object' && part.properties !== null) {
        for (const property of Object.keys(part.properties)) names.add(property);
      }
      for (const child of Object.values(part)) collect(child);
    };
    collect(schema);
    expect(names.size).toBeGreaterThan(0);
    expect([...names].filter((property) => !/^\$?[a-z][a-zA-Z0-9]*$/.test(property))).toEqual([]);
  });
});

test('R11 every folder of examples belongs to a schema', () => {
  for (const kind of ['valid', 'invalid']) {
    expect(readdirSync(join(folder, 'examples', kind)).sort()).toEqual(Object.keys(published).sort());
  }
});

test('R11 drift is found: a changed, a missing and a left-over schema', async () => {
  const copy = await mkdtemp(join(tmpdir(), 'waybill-schemas-'));
  try {
    await cp(folder, copy, { recursive: true });
    expect((await checkSchemas(copy)).problems).toEqual([]);
    await writeFile(join(copy, 'log.v1.json'), `${readFileSync(join(copy, 'log.v1.json'), 'utf8')} `);
    await rm(join(copy, 'hello.v1.json'));
    await writeFile(join(copy, 'goodbye.v1.json'), '{}');
    const { problems } = await checkSchemas(copy);
    expect(problems).toEqual([
      expect.stringContaining('log.v1.json differs'),
      expect.stringContaining('hello.v1.json is missing'),
      expect.stringContaining('goodbye.v1.json has no source'),
    ]);
  } finally {
    await rm(copy, { recursive: true });
  }
});
