import { randomBytes } from 'node:crypto';
import { appendFile, link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommandLine } from '../../contract/agent-protocol.ts';

/**
 * Which sequence of its script a command gets, remembered across processes by its idempotency key, so that a resumed
 * run meets the same agent: each key takes the next free place of its action, and keeps it. Several processes may
 * share one folder. `executions.ndjson` in it says what was really executed, for tests to count.
 */
export class MockMemory {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The place of this command among those of its action: 0, 1, 2 ... */
  async place(command: CommandLine): Promise<number> {
    const places = join(this.#folder, 'places', command.action);
    await mkdir(places, { recursive: true, mode: 0o700 });
    for (let index = 0; ; index++) {
      const place = join(places, String(index));
      const holder = await readOrNothing(place);
      if (holder === command.idempotencyKey) return index;
      if (holder === undefined && (await take(place, command.idempotencyKey))) return index;
      // Somebody took it between our look and our try: look again.
      if (holder === undefined) index -= 1;
    }
  }

  async executed(command: CommandLine, place: number): Promise<void> {
    const { idempotencyKey, runId, action, step, attempt, resent } = command;
    const line = JSON.stringify({ idempotencyKey, runId, action, step, attempt, resent, place });
    await appendFile(join(this.#folder, 'executions.ndjson'), `${line}\n`, { mode: 0o600 });
  }
}

async function take(place: string, key: string): Promise<boolean> {
  const temporary = `${place}.${randomBytes(6).toString('hex')}.tmp`;
  await writeFile(temporary, key, { mode: 0o600 });
  try {
    await link(temporary, place);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
}

async function readOrNothing(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
