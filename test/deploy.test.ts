import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { parseConfiguration } from '../src/contract/configuration.ts';
import { errorCodes } from '../src/contract/errors.ts';
import { toolPermissions } from '../src/contract/tool.ts';
import { Measurements } from '../src/surfaces/http/measurements.ts';
import { metricsText } from '../src/surfaces/http/metrics-text.ts';

// What docs/daemon.md and deploy/ say, held against the program.
const root = join(import.meta.dirname, '..');
const page = readFileSync(join(root, 'docs', 'daemon.md'), 'utf8');
const unitFile = join(root, 'deploy', 'waybill@.service');
const unit = readFileSync(unitFile, 'utf8');

const setting = (name: string): string => new RegExp(`^${name}=(.*)$`, 'm').exec(unit)?.[1] ?? '';

test('the unit drains before it kills, comes back after a crash only, and leaves the kernel open for containment', () => {
  const { drainMs } = parseConfiguration({}).daemon;
  expect(setting('KillMode')).toBe('mixed');
  expect(Number(setting('TimeoutStopSec')) * 1000).toBeGreaterThanOrEqual(drainMs + 10_000);
  expect(setting('Restart')).toBe('on-failure');
  expect(setting('RestartPreventExitStatus')).toBe('2');
  expect(setting('ExecStart')).toMatch(/ waybill serve$/);
  expect(setting('WorkingDirectory')).toBe('%f');
  for (const wall of ['PrivateUsers', 'ProtectSystem', 'RestrictNamespaces', 'ProtectProc', 'User']) {
    expect(setting(wall)).toBe('');
  }
});

test('systemd, where there is one, has nothing to say against the unit, and would have', async () => {
  const runtime = await mkdtemp(join(tmpdir(), 'waybill-systemd-'));
  onTestFinished(() => rm(runtime, { recursive: true }));
  const verify = (file: string) =>
    spawnSync('systemd-analyze', ['--user', 'verify', file], {
      encoding: 'utf8',
      env: { ...process.env, XDG_RUNTIME_DIR: runtime },
    });
  const { error, stderr } = verify(unitFile);
  if (error !== undefined) {
    expect(error).toMatchObject({ code: 'ENOENT' });
    return;
  }
  expect(stderr).toBe('');
  expect(verify(join(root, 'package.json')).stderr).not.toBe('');
});

test('docs/daemon.md names each setting of the daemon with its real default', () => {
  const { daemon, retention, evidence, store, tools } = parseConfiguration({});
  expect(tools).toEqual({ permissions: [...toolPermissions], concurrency: {} });
  const real = new Map<string, unknown>([
    ['store', store.engine],
    ['storeRole', 'none'],
    ['evidence', evidence],
    ['tools.permissions', 'all'],
    ['tools.concurrency', 'none'],
    ...Object.entries(daemon).map(([name, value]) => [`daemon.${name}`, value] as const),
    ...Object.entries(retention).map(([name, value]) => [`retention.${name}`, value] as const),
  ]);
  const rows = [...page.matchAll(/^\| `([\w.]+)` \| `?([^|`]+?)`? \| /gm)].map(([, name, value]) => [name, value]);
  expect(Object.fromEntries(rows)).toEqual(Object.fromEntries([...real].map(([name, value]) => [name, String(value)])));
});

test('docs/registry.md names each setting of registry and webhooks with its real default', () => {
  const { registry, webhooks } = parseConfiguration({});
  const text = readFileSync(join(root, 'docs', 'registry.md'), 'utf8');
  const rows = [...text.matchAll(/^\| `((?:registry|webhooks)\.\w+)` \| `([^`]+)` \| /gm)];
  const said = Object.fromEntries(rows.map(([, name, value]) => [name, value]));
  const real = [
    ...Object.entries(registry).map(([name, value]) => [`registry.${name}`, JSON.stringify(value)]),
    ...Object.entries(webhooks).map(([name, value]) => [`webhooks.${name}`, JSON.stringify(value)]),
  ];
  expect(said).toEqual(Object.fromEntries(real));
});

test('docs/daemon.md names every metric there is and every code it names exists', () => {
  const queue = { queued: 0, running: 0, resting: 0, parked: 0 };
  const text = metricsText({
    version: '1',
    engine: 'sqlite',
    queue,
    held: 0,
    envelopes: { stored: 0, spooled: 0, unknown: 0, lost: 0 },
    measurements: new Measurements(),
    memory: { rss: 1, heapUsed: 1 },
    cpu: { user: 1, system: 1 },
    uptime: 1,
  });
  const metrics = [...text.matchAll(/^# TYPE (\w+)/gm)].map(([, name = '']) => name);
  expect(metrics.length).toBeGreaterThan(5);
  expect(metrics.filter((name) => !page.includes(`\`${name}\``))).toEqual(['nodejs_heap_size_used_bytes']);
  const named = [...page.matchAll(/`(waybill_\w+|process_\w+)`/g)].map(([, name = '']) => name);
  expect(named.filter((name) => !metrics.includes(name))).toEqual([]);
  const codes = [...page.matchAll(/(?<=\| |\d{3} )`(\w+_\w+)`/g)].map(([, code = '']) => code);
  const known = Object.keys(errorCodes);
  expect(codes.length).toBeGreaterThan(4);
  expect(codes.filter((code) => !known.includes(code) && !metrics.includes(code))).toEqual([]);
});
