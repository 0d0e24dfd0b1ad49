import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { auditActions } from './audit.ts';

const source = join(import.meta.dirname, '..');

/** What writes records: sources that name an action in quotes, without tests and without the list itself. */
function writers(): string {
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.ts') && !/\.test\.ts$|(^|\/)testing\/|^contract\/audit\.ts$/.test(file),
  );
  expect(files.length).toBeGreaterThan(300);
  return files.map((file) => readFileSync(join(source, file), 'utf8')).join('\n');
}

/** `run.cancel.requested` and its like are made of the kind of the request. */
const made = /^run\.(?:cancel|approve|deny|signal|pause)\.requested$/;

test('G19 every action of the audit is written by something', () => {
  const text = writers();
  expect(text).toMatch(/`run\.\$\{[^}]+\}\.requested`/);
  const missing = auditActions.filter((action) => !made.test(action) && !text.includes(`'${action}'`));
  expect(missing).toEqual([]);
});

test('G19 no action is in the list twice, and each is words with dots', () => {
  expect(new Set(auditActions).size).toBe(auditActions.length);
  for (const action of auditActions) expect(action).toMatch(/^[a-z]+(\.[a-z]+)+$/);
});
