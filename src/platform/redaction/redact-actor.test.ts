import { expect, test } from 'vitest';
import { redactActor } from './redact-actor.ts';
import { redactText } from './redactor.ts';

test('who acted stays readable, and a secret in its place does not', () => {
  const redact = (text: string) => redactText(text).text;
  expect(redactText('token:ci-builder').text).not.toContain('ci-builder');
  for (const actor of ['token:ci-builder', 'local:1000', 'anonymous', ''])
    expect(redactActor(actor, redact)).toBe(actor);
  const secret = `wb_${'A'.repeat(43)}`;
  for (const actor of [secret, `token:${secret}`, `token:token=${secret}`, 'password=hunter22']) {
    expect(redactActor(actor, redact)).not.toMatch(/A{43}|hunter22/);
  }
});
