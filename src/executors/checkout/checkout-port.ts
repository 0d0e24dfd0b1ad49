import { statSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import type { CheckoutFacts, CheckoutPort, Known } from '../../domain/runs/ports.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import { firstLine, type GitOptions, type GitResult, runGit, saysNoCheckout } from '../git/run-git.ts';
import { parseStatus, type StatusFacts } from './parse-status.ts';
import { nameIn, stripCredentials } from './strip-credentials.ts';

export interface CheckoutSettings {
  readonly clock: Clock;
  readonly git?: GitOptions;
}

/**
 * Facts about the checkout a folder lies in, by two git processes at once. `facts` never fails: what cannot be
 * known is `known: false` with the reason, and `dirty` is `false` only when git looked and found nothing.
 *
 * Nothing is kept from one question to the next: whether the tree is clean can only be known by looking, and one
 * look is one `git status`. Questions asked while nobody has begun to look share the answer.
 */
export function createCheckoutPort(settings: CheckoutSettings): CheckoutPort {
  const asked = new Map<string, Promise<CheckoutFacts>>();

  async function read(root: string): Promise<CheckoutFacts> {
    await Promise.resolve();
    asked.delete(root);
    const readAt = settings.clock.now();
    if (!isFolder(root)) return { ...nothingKnown(`there is no folder ${root}`), readAt };
    const git = settings.git ?? {};
    const [status, remotes] = await Promise.all([
      runGit(root, ['status', '--porcelain=v2', '--branch', '-z', '--untracked-files=normal'], git),
      runGit(root, ['config', '-z', '--get-regexp', '^remote\\..*\\.url$'], git),
    ]);
    return { ...factsOf(root, status, remotes), readAt };
  }

  return {
    facts(root) {
      const path = resolve(root);
      const shared = asked.get(path);
      if (shared !== undefined) return shared;
      const started = read(path);
      asked.set(path, started);
      return started;
    },
  };
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
      if (saysNoCheckout(result.stderr)) return 'not a git checkout';
      return `git refused: ${firstLine(result.stderr) || `exit code ${result.exitCode}`}`;
  }
}
