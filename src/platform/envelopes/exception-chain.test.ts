import { expect, test } from 'vitest';
import { createRedactor } from '../redaction/redactor.ts';
import { exceptionChain, exceptionTypeOf, messageOf } from './exception-chain.ts';

const redactor = createRedactor('envelope');
const chain = (thrown: unknown) =>
  exceptionChain(redactor, thrown).map((link) => `${link.relation} ${link.type} ${link.message}`);

test('F4 causes are followed, nearest first, at most five', () => {
  const deep = Array.from({ length: 9 }).reduce<Error>(
    (cause, _, index) => new Error(`e${index}`, { cause }),
    new Error('root'),
  );
  expect(chain(deep)).toEqual(['e7', 'e6', 'e5', 'e4', 'e3'].map((name) => `cause Error ${name}`));
  expect(chain(new Error('alone'))).toEqual([]);
});

test('F4 members of an AggregateError and what a SuppressedError covers are in the chain', () => {
  const aggregate = new AggregateError([new TypeError('one'), 'two'], 'both', { cause: new RangeError('why') });
  expect(chain(aggregate)).toEqual(['cause RangeError why', 'aggregate TypeError one', 'aggregate string two']);
  const suppressed = new SuppressedError(new Error('on closing'), new Error('at work'), 'both');
  expect(chain(suppressed)).toEqual(['cause Error on closing', 'suppressed Error at work']);
});

test('F4 cycles and hostile errors are survived', () => {
  const a: Error & { cause?: unknown } = new Error('a');
  const b = new Error('b', { cause: a });
  a.cause = b;
  expect(chain(a)).toEqual(['cause Error b']);
  const hostile = new Proxy(new Error('x'), {
    get: () => {
      throw new Error('not for you');
    },
  });
  expect(chain(new Error('top', { cause: hostile }))).toEqual(['cause object an object was thrown']);
  expect([null, undefined, 7, Symbol('s'), () => 1].map(exceptionTypeOf)).toEqual([
    'null',
    'undefined',
    'number',
    'symbol',
    'object',
  ]);
  expect(messageOf(Symbol('s'))).toBe('Symbol(s) was thrown');
});

test('F4 a message is redacted before it is cut to 200 characters', () => {
  const secret = `sk-ant-api03-${'c4n4ry'.repeat(10)}`;
  const [link] = exceptionChain(redactor, new Error('top', { cause: new Error(`${'word '.repeat(38)}${secret}`) }));
  expect(link?.message).toHaveLength(200);
  expect(link?.message).not.toContain('c4n4ry');
});
