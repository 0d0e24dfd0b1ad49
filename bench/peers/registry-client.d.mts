import type { ChildProcess } from 'node:child_process';
import type { IncomingHttpHeaders } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}
export interface Asked {
  readonly headers?: Readonly<Record<string, string>>;
  /** In one part, or several that are sent one after the other. */
  readonly body?: string | Uint8Array | readonly (string | Uint8Array)[];
}
export interface RegistryClient {
  call(method: string, path: string, asked?: Asked): Promise<Answer>;
  /** @throws Error unless it answers with one of these statuses */
  must(statuses: readonly number[], method: string, path: string, asked?: Asked): Promise<Answer>;
  /** @returns the bytes that came, which are as many as were announced */
  download(path: string, headers?: Readonly<Record<string, string>>): Promise<number>;
  close(): void;
}
export function openClient(url: string, most: number): RegistryClient;
export function freePort(): Promise<number>;
export function untilItAnswers(url: string, path: string, child: ChildProcess): Promise<void>;
