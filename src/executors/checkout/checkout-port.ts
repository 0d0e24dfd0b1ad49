import { statSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import type { CheckoutFacts, CheckoutPort, Known } from '../../domain/runs/ports.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import { firstLine, type GitOptions, type GitResult, runGit, saysNoCheckout } from '../git/run-git.ts';
import { watchOutside } from './outside-checkouts.ts';
import { parseStatus, type StatusFacts } from './parse-status.ts';
import { nameIn, stripCredentials } from './strip-credentials.ts';
import { type CheckoutWatch, watchCheckout } from './watch-checkout.ts';

export interface CheckoutSettings {
  readonly clock: Clock;
  readonly git?: GitOptions;
}

/** Facts that were read while the checkout was being watched, and are true until the watch says otherwise. */
interface KeptFacts {
  readonly facts: CheckoutFacts;
  readonly watch: CheckoutWatch;
}

/**
 * Facts about the checkout a folder lies in, by two git processes at once. `facts` never fails: what cannot be
 * known is `known: false` with the reason, and `dirty` is `false` only when git looked and found nothing.
 *
 * Who asks again gets the same facts, with the time they were read, while a watch vouches for them (see
 * `watchCheckout`); it begins with the second question, because most processes ask once. Questions that come while
 * nobody has begun to look share one look.
 */
export function createCheckoutPort(settings: CheckoutSettings): CheckoutPort {
  const git = settings.git ?? {};
  const toCome = new Map<string, Promise<CheckoutFacts>>();
  const kept = new Map<string, KeptFacts>();
  const asked = new Set<string>();
  const unwatchable = new Set<string>();

  async function facts(root: string): Promise<CheckoutFacts> {
    const known = kept.get(root);
    if (known !== undefined && (await known.watch.isUnchanged())) return known.facts;
    const shared = toCome.get(root);
    if (shared !== undefined) return shared;
    const started = lookAgain(root);
    toCome.set(root, started);
    return started;
  }

  async function lookAgain(root: string): Promise<CheckoutFacts> {
    await Promise.resolve();
    forget(root);
    // Watched from before the look on, so that a change during it is not missed.
    const watch = asked.has(root) && !unwatchable.has(root) ? await watchCheckout(root, git) : undefined;
    if (asked.has(root) && watch === undefined) unwatchable.add(root);
    asked.add(root);
    toCome.delete(root);
    const outside = watch === undefined ? watchOutside(root) : undefined;
    const found = await look(root);
    forget(root);
    if (outside !== undefined && isNoCheckout(found)) kept.set(root, { facts: found, watch: outside });
    if (watch !== undefined) kept.set(root, { facts: found, watch });
    return found;
  }

  function forget(root: string): void {
    kept.get(root)?.watch.close();
    kept.delete(root);
  }

  async function look(root: string): Promise<CheckoutFacts> {
    const readAt = settings.clock.now();
    if (!isFolder(root)) return { ...nothingKnown(`there is no folder ${root}`), readAt };
    const [status, remotes] = await Promise.all([
      runGit(root, ['status', '--porcelain=v2', '--branch', '-z', '--untracked-files=normal'], git),
      runGit(root, ['config', '-z', '--get-regexp', '^remote\\..*\\.url$'], git),
    ]);
    return { ...factsOf(root, status, remotes), readAt };
  }

  return { facts: (root) => facts(resolve(root)) };
}

type Facts = Omit<CheckoutFacts, 'readAt'>;

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

const known = <T>(value: T): Known<T> => ({ known: true, value });
const unknown = (reason: string): Known<never> => ({ known: false, reason });

function nothingKnown(reason: string): Facts {
  const fact = unknown(reason);
  return { name: fact, remote: fact, commit: fact, branch: fact, dirty: fact };
}

const noCheckout = 'not a git checkout';

function isNoCheckout({ commit }: Facts): boolean {
  return !commit.known && commit.reason === noCheckout;
}

function factsOf(root: string, status: GitResult, remotes: GitResult): Facts {
  if (status.outcome !== 'done') return nothingKnown(whyNot(status));
  const parsed = parseStatus(status.stdout);
  if (parsed === undefined) return nothingKnown('git status said something this version cannot read');
  const remote = remoteOf(remotes);
  return {
    ...ofStatus(parsed),
    remote,
    name: known((remote.known ? nameIn(remote.value) : undefined) ?? basename(root)),
  };
}

function ofStatus(status: StatusFacts): Pick<Facts, 'commit' | 'branch' | 'dirty'> {
  return {
    commit: status.commit === null ? unknown('the checkout has no commit yet') : known(status.commit),
    branch: status.branch === null ? unknown('HEAD is detached') : known(status.branch),
    dirty: known(status.dirty),
  };
}

/** `origin`, or the first there is. Each record of `git config -z` is the name, a newline, the value. */
function remoteOf(result: GitResult): Known<string> {
  // Exit code 1 is how `git config` says that nothing matched.
  if (result.outcome === 'refused' && result.exitCode === 1) return unknown('the checkout has no remote');
  if (result.outcome !== 'done') return unknown(whyNot(result));
  const records = result.stdout
    .toString('utf8')
    .split('\0')
    .filter((record) => record !== '');
  const chosen = records.find((record) => record.startsWith('remote.origin.url\n')) ?? records[0];
  const address = chosen?.slice(chosen.indexOf('\n') + 1);
  return address === undefined || address === ''
    ? unknown('the checkout has no remote')
    : known(stripCredentials(address));
}

function whyNot(result: Exclude<GitResult, { outcome: 'done' }>): string {
  switch (result.outcome) {
    case 'missing':
      return 'git is not installed';
    case 'hung':
      return `git did not answer within ${result.timeoutMs / 1000} s`;
    case 'aborted':
      return 'the question was aborted';
    case 'refused':
      if (saysNoCheckout(result.stderr)) return noCheckout;
      return `git refused: ${firstLine(result.stderr) || `exit code ${result.exitCode}`}`;
  }
}
