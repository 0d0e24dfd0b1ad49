import { spawn } from 'node:child_process';
import { gitEnvironment, gitSettings } from '../git/git-environment.ts';

/** Told of each blob in the order it was asked for: its parts as they come, then its end. */
export interface ObjectReader {
  part(bytes: Buffer): void;
  end(): void;
}

/**
 * Reads blobs of a checkout, one after the other, in constant memory (format: git-cat-file(1), "BATCH OUTPUT").
 * @returns null when all were read, else why not
 */
export function readObjects(
  root: string,
  objects: readonly string[],
  reader: ObjectReader,
  command = 'git',
): Promise<string | null> {
  return new Promise((resolve) => {
    const child = spawn(command, [...gitSettings, 'cat-file', '--batch'], {
      cwd: root,
      env: gitEnvironment(process.env),
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    const parser = new BatchParser(reader);
    // A git that ends without reading its input says why by its exit code.
    child.stdin.on('error', () => undefined);
    child.stdin.end(objects.map((object) => `${object}\n`).join(''));
    child.stdout.on('data', (chunk: Buffer) => {
      if (parser.take(chunk)) return;
      child.kill('SIGKILL');
    });
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code) => {
      if (parser.problem !== null) resolve(parser.problem);
      else if (code !== 0) resolve(`git cat-file ended with exit code ${code}`);
      else resolve(parser.blobs === objects.length ? null : `git gave ${parser.blobs} of ${objects.length} objects`);
    });
  });
}

/** `<object> blob <size>` LF, the bytes, LF; once an object. */
class BatchParser {
  problem: string | null = null;
  blobs = 0;
  readonly #reader: ObjectReader;
  #head = '';
  /** Bytes of the blob that are still to come, with the newline behind them; 0 in a header. */
  #left = 0;

  constructor(reader: ObjectReader) {
    this.#reader = reader;
  }

  /** False when what comes is no batch. */
  take(chunk: Buffer): boolean {
    let at = 0;
    while (at < chunk.length && this.problem === null) {
      at = this.#left === 0 ? this.#takeHead(chunk, at) : this.#takeBody(chunk, at);
    }
    return this.problem === null;
  }

  #takeHead(chunk: Buffer, at: number): number {
    const newline = chunk.indexOf(0x0a, at);
    this.#head += chunk.toString('latin1', at, newline < 0 ? chunk.length : newline);
    if (newline < 0) return chunk.length;
    const size = /^[0-9a-f]{40,64} blob (\d+)$/.exec(this.#head)?.[1];
    if (size === undefined) this.problem = `git says of an object: ${this.#head.slice(0, 200)}`;
    else this.#left = Number(size) + 1;
    this.#head = '';
    return newline + 1;
  }

  #takeBody(chunk: Buffer, at: number): number {
    const taken = Math.min(this.#left, chunk.length - at);
    const isLast = taken === this.#left;
    const bytes = chunk.subarray(at, at + taken - (isLast ? 1 : 0));
    if (bytes.length > 0) this.#reader.part(bytes);
    this.#left -= taken;
    if (isLast) {
      this.blobs += 1;
      this.#reader.end();
    }
    return at + taken;
  }
}
