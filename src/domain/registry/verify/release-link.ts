import type { Broken } from '../../runs/evidence/broken-link.ts';

/** The chain from a published version back to the commit, in the order it is walked. */
export const releaseLinks = ['package', 'attestation', 'run', 'receipts', 'ledger', 'snapshot', 'commit'] as const;
export type ReleaseLink = (typeof releaseLinks)[number];

/** What was found of one link. `not_checked` is no pass: `what` says why nothing could be looked at. */
export interface CheckedLink {
  readonly link: ReleaseLink;
  readonly state: 'intact' | 'broken' | 'not_checked';
  /** What was checked, or why it was not; of a broken link the place. */
  readonly what: string;
  readonly expected?: string;
  readonly actual?: string;
  /** Files of a checkout with changes that were not committed, as they differ from the commit. */
  readonly differences?: readonly { readonly path: string; readonly change: 'added' | 'removed' | 'changed' }[];
}

/** Thrown where a check of a release fails; `verifyRelease` turns it into its answer. */
export class BrokenRelease extends Error {
  readonly link: ReleaseLink;
  readonly where: string;
  readonly expected: string;
  readonly actual: string;

  constructor(link: ReleaseLink, where: string, expected: string, actual: string) {
    super(`${link}: ${where}: expected ${expected}, found ${actual}`);
    this.link = link;
    this.where = where;
    this.expected = short(expected);
    this.actual = short(actual);
  }
}

/** Throws `BrokenRelease` unless both texts are equal. */
export function assertLink(link: ReleaseLink, where: string, expected: string, actual: string): void {
  if (expected !== actual) throw new BrokenRelease(link, where, expected, actual);
}

/** A broken promise of a run's evidence, as the link of a release it belongs to. */
export function releaseBroken({ broken }: Broken): BrokenRelease {
  const { where, expected, actual } = broken;
  return new BrokenRelease(linkOf(broken), `${where}: ${broken.link}`, expected, actual);
}

function linkOf({ link, where }: Broken['broken']): ReleaseLink {
  switch (link) {
    case 'receipt':
    case 'idempotency key':
    case 'blob':
      return 'receipts';
    case 'run':
    case 'run id':
    case 'input':
    case 'origin':
      return 'run';
    case 'snapshot':
      return 'snapshot';
    case 'format':
    case 'schema':
    case 'canonical form':
    case 'seq':
    case 'previous':
    case 'digest':
    case 'terminal event':
      if (/receipt/.test(where)) return 'receipts';
      if (/snapshot/.test(where)) return 'snapshot';
      return /bundle|row of the run|run, member/.test(where) ? 'run' : 'ledger';
    default:
      return link satisfies never;
  }
}

/** Evidence can hold anything: what is quoted of it is bounded. */
function short(text: string): string {
  const clean = text.toWellFormed();
  return clean.length <= 300 ? clean : `${clean.slice(0, 300).toWellFormed()}... (${text.length} characters)`;
}
