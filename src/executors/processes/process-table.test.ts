import { spawn } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { type ProcessRow, scanProcesses, scanPs, startTimeOf } from './process-table.ts';

// `e` is the flag of Linux for what `-E` is on macOS, so that the reader of `ps` is tested on both.
const looks: [string, () => Promise<readonly ProcessRow[]>][] = [
  ['the look of this platform', scanProcesses],
  ['the look through ps', () => scanPs(process.platform === 'darwin' ? ['-axwwE'] : ['axwwe'])],
];

describe.each(looks)('%s', (_name, look) => {
  test('sees this program and a child with its marker, parent and group', async () => {
    const env = { PATH: process.env.PATH ?? '', WAYBILL_MARKER: 'outer-marker,inner-marker', AFTER: 'x y' };
    const child = spawn('sleep', ['60'], { env, stdio: 'ignore', detached: true });
    try {
      const { pid = -1 } = child;
      // Between fork and exec a child still has its parent's environment.
      await expect.poll(async () => (await look()).find((row) => row.pid === pid)?.carries('inner-marker')).toBe(true);
      const rows = await look();
      const row = rows.find((candidate) => candidate.pid === pid);
      expect(row).toMatchObject({ ppid: process.pid, group: pid, session: pid, stopped: false });
      expect(row?.carries('outer-marker')).toBe(true);
      expect(['inner', 'marker', 'outer-marker,inner-marker', 'y'].filter((text) => row?.carries(text))).toEqual([]);
      expect(rows.find((candidate) => candidate.pid === process.pid)?.carries('inner-marker')).toBe(false);
      child.kill('SIGSTOP');
      await expect.poll(async () => (await look()).find((one) => one.pid === pid)?.stopped).toBe(true);
    } finally {
      child.kill('SIGKILL');
    }
    await expect.poll(async () => (await look()).some((row) => row.pid === child.pid)).toBe(false);
  });
});

test('a start time belongs to a living process, and does not change', async () => {
  const own = startTimeOf(process.pid);
  expect(own).toMatch(/\d/);
  expect((await scanProcesses()).find(({ pid }) => pid === process.pid)?.startTime).toBe(own);
  const child = spawn('true', { stdio: 'ignore' });
  await new Promise((resolve) => child.once('exit', resolve));
  expect(startTimeOf(child.pid ?? -1)).toBeUndefined();
});

test('looks asked for in the same turn are one look', () => {
  expect(scanProcesses()).toBe(scanProcesses());
});
