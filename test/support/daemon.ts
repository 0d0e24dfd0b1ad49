import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Finished, Waybill } from './waybill.ts';
import type { TestWorkspace } from './workspace.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** The bytes as they came: what must be equal is compared as text. */
  readonly text: string;
  /** Parsed; null for an empty answer. */
  readonly body: unknown;
}

export interface Asked {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Null: none is sent. */
  readonly token?: string | null;
}

/** One running `waybill serve`. */
export class Daemon {
  readonly process: Waybill;
  readonly url: string;
  readonly token: string;

  constructor(process: Waybill, url: string, token: string) {
    this.process = process;
    this.url = url;
    this.token = token;
  }

  /** Any answer is an answer; only a connection that fails throws. */
  async ask(method: string, path: string, { body, headers, token = this.token }: Asked = {}): Promise<Answer> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, body: text === '' ? null : JSON.parse(text) };
  }

  /** SIGKILL, and its end. */
  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.process.finished;
  }

  /** SIGTERM, and its end. */
  async stop(): Promise<Finished> {
    this.process.kill('SIGTERM');
    return this.process.finished;
  }
}

/** Starts `waybill serve` in the workspace and waits for its address, the first line it prints. */
export async function startDaemon(
  workspace: TestWorkspace,
  {
    args = [],
    env = {},
    port = 0,
  }: { args?: readonly string[]; env?: Readonly<Record<string, string>>; port?: number } = {},
): Promise<Daemon> {
  const started = workspace.start(['serve', '--port', String(port), ...args], env);
  const first = await started.line(() => true);
  if (!/^http:\/\/127\.0\.0\.1:\d+$/.test(first)) throw new Error(`the first line of waybill serve was: ${first}`);
  const token = await readFile(join(workspace.data, 'keys', 'token'), 'utf8');
  return new Daemon(started, first, token.trim());
}

/** A port nobody listens on just now: for daemons that must come back under the same address. */
export async function freePort(): Promise<number> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a server without a port');
  const closed = Promise.withResolvers<void>();
  server.close(() => closed.resolve());
  await closed.promise;
  return address.port;
}
