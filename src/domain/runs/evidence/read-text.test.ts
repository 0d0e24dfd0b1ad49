import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readLines, readText, readTextIfThere } from './read-text.ts';

async function linesOf(path: string): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of readLines(path, (number) => `event ${number}`)) lines.push(line);
  return lines;
}

test('R7 evidence that is a FIFO or a device is broken evidence, and nobody waits for its end', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-read-text-'));
  try {
    const [fifo, device, file] = [join(folder, 'fifo'), join(folder, 'device'), join(folder, 'file')];
    execFileSync('mkfifo', [fifo]);
    await symlink('/dev/zero', device);
    await writeFile(file, 'one\ntwo\n');
    for (const path of [fifo, device, folder]) {
      await expect(readText(path, 'run.json'), path).rejects.toThrow('run.json: format: expected a regular file');
      await expect(linesOf(path), path).rejects.toThrow('event 1: format: expected a regular file');
    }
    expect(await readText(file, 'run.json')).toBe('one\ntwo\n');
    expect(await linesOf(file)).toEqual(['one', 'two']);
    expect(await readTextIfThere(join(folder, 'none'), 'none')).toBe(undefined);
    await expect(linesOf(join(folder, 'none'))).rejects.toMatchObject({ code: 'file_read_failed' });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
