import { spawn } from 'node:child_process';
import { systemCode } from '../../platform/files/file-write-failed.ts';
import { gitEnvironment, gitSettings } from './git-environment.ts';

export interface GitOptions {
  /** The program; a name is looked up on PATH. */
  readonly command?: string;
  /** Milliseconds after which git counts as hanging and is killed. */
  readonly timeoutMs?: number;
  /** What git reads from its standard input; nothing unless given. */
  readonly input?: string;
}

/** How one call of git ended; each is an answer the caller has to think about, none is an exception. */
export type GitResult =
  | { readonly outcome: 'done'; readonly stdout: Buffer; readonly stderr: string }
  | { readonly outcome: 'refused'; readonly exitCode: number | null; readonly stderr: string }
  | { readonly outcome: 'missing' }
  | { readonly outcome: 'hung'; readonly timeoutMs: number }
  | { readonly outcome: 'aborted' };

const maxStderr = 65_536;

/** Runs git in `root` with an environment that cannot prompt, write or run hooks, for `timeoutMs` (30 s) at most. */
export function runGit(
  root: string,
  args: readonly string[],
  options: GitOptions = {},
  signal?: AbortSignal,
): Promise<GitResult> {
  const timeoutMs = options.timeoutMs ?? 30_000;
  return new Promise((resolve) => {
    // A group of its own, so that a wrapper script and all it started can be killed together.
    const child = spawn(options.command ?? 'git', [...gitSettings, ...args], {
      cwd: root,
      env: gitEnvironment(process.env),
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    // A git that ends without reading its input is no failure of ours; its exit code says what it was.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
    const stdout: Buffer[] = [];
    let stderr = '';
    const timer = setTimeout(() => giveUp({ outcome: 'hung', timeoutMs }), timeoutMs);
    const onAbort = () => giveUp({ outcome: 'aborted' });
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted) onAbort();

    function finish(result: GitResult): void {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      resolve(result);
    }
    function giveUp(result: GitResult): void {
      killGroup(child.pid);
      child.stdout.destroy();
      child.stderr.destroy();
      finish(result);
    }
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => {
      if (stderr.length < maxStderr) stderr += chunk.toString('utf8');
    });
    child.on('error', (error) => {
      const missing = systemCode(error) === 'ENOENT';
      finish(missing ? { outcome: 'missing' } : { outcome: 'refused', exitCode: null, stderr: error.message });
    });
    child.on('close', (exitCode) => {
      if (exitCode === 0) finish({ outcome: 'done', stdout: Buffer.concat(stdout), stderr });
      else finish({ outcome: 'refused', exitCode, stderr });
    });
  });
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if (systemCode(error) !== 'ESRCH') throw error;
  }
}

/** The first line git said, without its `fatal:`; what a reason shows to people. */
export function firstLine(stderr: string): string {
  return (stderr.split('\n', 1)[0] ?? '').replace(/^(fatal|error): /, '').slice(0, 300);
}

/** True when git says that there is no checkout here, as opposed to one it will not or cannot read. */
export function saysNoCheckout(stderr: string): boolean {
  return /not a git repository \(or any/.test(stderr);
}
