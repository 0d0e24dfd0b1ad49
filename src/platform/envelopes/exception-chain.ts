import { WaybillError } from '../../contract/errors.ts';
import type { Redactor } from '../redaction/redactor.ts';
import { boundedText } from './bounded-text.ts';
import type { ChainLink } from './envelope.ts';
import { isObject, readProperty } from './read-property.ts';

export const mostCauses = 5;
export const longestCause = 200;

/** Name of what was thrown: its class, with the code for an error of ours or of Node; `string`, `null` ... for anything else. */
export function exceptionTypeOf(thrown: unknown): string {
  if (!isObject(thrown)) return thrown === null ? 'null' : typeof thrown;
  const name = readText(thrown, 'name') ?? 'object';
  const code = thrown instanceof WaybillError ? thrown.code : readText(thrown, 'code');
  return (code === undefined ? name : `${name}:${code}`).replaceAll(/[^\w.:$-]/g, '_').slice(0, 120);
}

/** The message of whatever was thrown; never throws itself, however hostile the value. */
export function messageOf(thrown: unknown): string {
  if (isObject(thrown))
    return readText(thrown, 'message') ?? `an ${Array.isArray(thrown) ? 'array' : 'object'} was thrown`;
  return typeof thrown === 'string' ? thrown : `${String(thrown)} was thrown`;
}

/**
 * What lies behind an error, nearest first: its causes, the members of an AggregateError, and what a SuppressedError
 * covered up (JavaScript's implicit cause). At most 5, each redacted and cut to 200 characters; cycles are survived.
 */
export function exceptionChain(redactor: Redactor, thrown: unknown): readonly ChainLink[] {
  const links: ChainLink[] = [];
  const seen = new Set<unknown>([thrown]);
  const queue: unknown[] = [thrown];
  while (queue.length > 0 && links.length < mostCauses) {
    for (const { relation, error } of behind(queue.shift())) {
      if (links.length === mostCauses) break;
      if (isObject(error) && seen.has(error)) continue;
      seen.add(error);
      queue.push(error);
      links.push({
        relation,
        type: exceptionTypeOf(error),
        message: boundedText(redactor, messageOf(error), longestCause),
      });
    }
  }
  return links;
}

function behind(error: unknown): readonly { readonly relation: ChainLink['relation']; readonly error: unknown }[] {
  if (!isObject(error)) return [];
  const members = readProperty(error, 'errors');
  const found: { relation: ChainLink['relation']; error: unknown }[] = [
    { relation: 'cause', error: readProperty(error, 'cause') },
    ...(Array.isArray(members) ? members.slice(0, mostCauses) : []).map((member: unknown) => ({
      relation: 'aggregate' as const,
      error: member,
    })),
    { relation: 'cause', error: readProperty(error, 'error') },
    { relation: 'suppressed', error: readProperty(error, 'suppressed') },
  ];
  return found.filter((link) => link.error !== undefined && link.error !== null);
}

function readText(error: object, key: string): string | undefined {
  const value = readProperty(error, key);
  return typeof value === 'string' && value !== '' ? value : undefined;
}
