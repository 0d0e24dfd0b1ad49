import { InvalidArgumentError } from 'commander';
import { type RunStateName, runStates } from '../../contract/evidence.ts';
import { type IdKind, idShapes, isId } from '../../contract/ids.ts';

/** A whole number of at least `least`, and at most `most` if given, as typed. */
export function wholeNumber(least: number, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  const upTo = most === Number.MAX_SAFE_INTEGER ? '' : ` and at most ${most}`;
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It must be a whole number of at least ${least}${upTo}.`);
  };
}

/** Seconds, fractions allowed, as milliseconds. */
export function seconds(text: string): number {
  const value = /^\d{1,9}(\.\d{1,3})?$/.test(text) ? Math.round(Number(text) * 1000) : 0;
  if (value > 0) return value;
  throw new InvalidArgumentError('It must be a number of seconds above 0.');
}

/** An id of this kind, so that no path or query is made of anything else. */
export function idArgument(kind: IdKind): (text: string) => string {
  return (text) => {
    if (isId(kind, text)) return text;
    if (kind === 'run') throw new InvalidArgumentError('A run id looks like run-20261122-210500-0a1b2c3d.');
    if (kind === 'name') {
      throw new InvalidArgumentError('It must be a letter, and then up to 127 letters, digits, ".", "_" and "-".');
    }
    throw new InvalidArgumentError(`It must match ${idShapes[kind].source}.`);
  };
}

/** Collects an option that may be given several times, each value checked by `parse`. */
export function repeated<T>(parse: (text: string) => T): (text: string, before: readonly T[] | undefined) => T[] {
  return (text, before) => [...(before ?? []), parse(text)];
}

export function nonEmpty(text: string): string {
  if (text.trim() !== '') return text;
  throw new InvalidArgumentError('It must not be empty.');
}

export function runState(text: string): RunStateName {
  const found = runStates.find((state) => state === text);
  if (found !== undefined) return found;
  throw new InvalidArgumentError(`Known states: ${runStates.join(', ')}.`);
}
