import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalJson } from '../../platform/canonical-json/canonical-json.ts';
import { parseAgentLine } from './parse-agent-line.ts';

const completed = (outputs: string) =>
  Buffer.from(`{"type":"event","event":"completed","correlationId":"c","artifacts":[],"outputs":${outputs}}`);

describe('R26 a line of an agent', () => {
  test.each([
    ['not JSON', Buffer.from('Traceback'), 'it is not JSON'],
    ['not UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 'it is not UTF-8'],
    ['an array', Buffer.from('[1]'), 'it is not a JSON object but an array'],
    ['null', Buffer.from('null'), 'it is not a JSON object but null'],
    ['a number', Buffer.from('7'), 'it is not a JSON object but a number'],
    ['of no known type', Buffer.from('{"type":"metric"}'), '"type": '],
    ['with a wrong type inside', completed('"done"'), '"outputs": '],
    ['nested without end', completed(`${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`), 'it is nested deeper than 64'],
    ['with a number beyond all', completed('{"n":1e999}'), 'it has a number that loses digits'],
    ['with an integer that loses digits', completed('{"n":9007199254740993}'), 'it has a number that loses digits'],
    ['with a key that means a prototype', completed('{"__proto__":{"a":1}}'), 'it has a key named "__proto__"'],
  ])('R26 %s is refused with a reason that does not repeat it', (_, bytes, reason) => {
    const parsed = parseAgentLine(bytes);
    expect(parsed.ok).toBe(false);
    expect(parsed.ok ? '' : parsed.reason).toContain(reason);
    expect(parsed.ok ? '' : parsed.reason).not.toContain('Traceback');
  });

  test('R26 any bytes at all are a line or a reason, never an exception', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          fc.json().map((text) => Buffer.from(text)),
        ),
        (bytes) => {
          const parsed = parseAgentLine(bytes);
          expect(parsed.ok || parsed.reason.length > 0).toBe(true);
        },
      ),
    );
  });

  test('R26 what is accepted can be recorded: outputs have a canonical form, but for text the store cannot hold', () => {
    const keepable = fc.jsonValue({ stringUnit: 'grapheme', maxDepth: 5 });
    fc.assert(
      fc.property(keepable, (value) => {
        const parsed = parseAgentLine(completed(JSON.stringify({ value })));
        if (parsed.ok && parsed.line.type === 'event' && parsed.line.event === 'completed') {
          expect(JSON.parse(canonicalJson(parsed.line.outputs))).toEqual(JSON.parse(JSON.stringify({ value })));
        }
      }),
    );
  });
});
