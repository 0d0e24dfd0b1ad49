import { spawn } from 'node:child_process';
import { expect, test } from 'vitest';
import { createHost } from './host.ts';
import { startTimeOf } from './process-table.ts';

test('a holder is alive while its very process is, and unknown on another machine or in another pid namespace', async () => {
  const { self, liveness } = createHost();
  expect(liveness(self)).toBe('alive');
  expect(liveness({ ...self, instance: 'another' })).toBe('alive');
  expect(liveness({ ...self, startTime: `${self.startTime}0` })).toBe('dead');
  expect(liveness({ ...self, bootId: 'earlier-boot/1' })).toBe('dead');
  expect(liveness({ ...self, bootId: 'earlier-boot/1', host: 'elsewhere.invalid' })).toBe('unknown');
  expect(liveness({ ...self, bootId: `${self.bootId.split('/')[0]}/1` })).toBe('unknown');

  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  const { pid = -1 } = child;
  const holder = { ...self, pid, startTime: startTimeOf(pid) ?? '' };
  expect(liveness(holder)).toBe('alive');
  child.kill('SIGKILL');
  await new Promise((resolve) => child.once('exit', resolve));
  expect(liveness(holder)).toBe('dead');
});

test('two hosts of one process are two instances', () => {
  expect(createHost().self.instance).not.toBe(createHost().self.instance);
});
