import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { outgoingEventTypes } from './cloud-event.ts';
import { terminalEventTypes } from './evidence.ts';

const source = join(import.meta.dirname, '..');

test('G17 every type of event that is written can be asked for by a webhook, and the other way round', () => {
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.ts') && !/\.test\.ts$|(^|\/)testing\/|^contract\/|^surfaces\//.test(file),
  );
  expect(files.length).toBeGreaterThan(300);
  const text = files.map((file) => readFileSync(join(source, file), 'utf8')).join('\n');
  const written = new Set([...text.matchAll(/'(dev\.waybill\.[a-z.]+)'/g)].map(([, type]) => type));
  // Of runs the type is made of the state they ended in.
  expect(text).toMatch(/`dev\.waybill\.run\.\$\{terminal\.state\}`/);
  for (const type of terminalEventTypes) written.add(`dev.waybill.${type}`);
  expect([...written].sort()).toEqual([...outgoingEventTypes].sort());
});
