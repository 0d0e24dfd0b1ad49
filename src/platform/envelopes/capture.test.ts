import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { errorCodes, WaybillError } from '../../contract/errors.ts';
import { childSpan, correlationScope, currentCorrelation } from '../correlation/correlation.ts';
import { openSqliteStore } from '../store/sqlite/open.ts';
import type { Store } from '../store/store.ts';
import { ErrorCapture } from './capture.ts';
import { classify } from './classify.ts';
import type { ErrorStore } from './error-store.ts';
import { testSettings } from './fixtures/test-emitters.ts';
import { envelopeMigrations } from './migrations.ts';
import { openErrorStore } from './open-error-store.ts';

let folder: string;
let store: Store;
let errors: ErrorStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-capture-'));
  store = await openSqliteStore({ path: join(folder, 'waybill.db'), migrations: envelopeMigrations() });
  errors = openErrorStore(store, 'ws-test');
});
afterEach(async () => {
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

const cli = { layer: 'L2', component: 'cli' } as const;
const worker = { layer: 'L5', component: 'run-worker' } as const;
const spooled = async (): Promise<readonly string[]> => {
  const names = await readdir(join(folder, 'spool')).catch(() => []);
  return names.sort();
};
const make = (settings: { readonly storeTimeoutMs?: number } = {}): ErrorCapture =>
  new ErrorCapture({ ...testSettings(), spoolFolder: join(folder, 'spool'), ...settings });
const stored = async (): Promise<number> => {
  const counts = await errors.countsByClass({});
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
};
const down: ErrorStore = new Proxy<ErrorStore>(Object.create(null), {
  get: () => () => Promise.reject(new Error('the store is down')),
});

test('an error that passes several boundaries, also wrapped and at once, leaves exactly one envelope where it happened (part of F6)', async () => {
  const capture = make();
  await capture.attach(errors);
  const error = new WaybillError('agent_timeout', 'the agent did not answer', { details: { exitCode: 7 } });
  const step = await correlationScope({ component: 'run-worker' }, async () => {
    const inner = childSpan('step', () => currentCorrelation());
    await childSpan('failing', () => Promise.reject(error)).catch(() => undefined);
    return inner;
  });
  const wrapped = new WaybillError('step_failed', 'the step failed', { cause: new Error('between', { cause: error }) });
  const captured = await Promise.all([
    capture.capture(error, { ...worker, runId: 'run-1', step: 'implement' }),
    capture.capture(error, cli),
    capture.capture(wrapped, cli),
    capture.capture(wrapped, cli),
  ]);
  expect(new Set(captured.map(({ errorId }) => errorId)).size).toBe(1);
  expect(captured.map(({ kept }) => kept)).toEqual(Array(4).fill('stored'));
  expect(await stored()).toBe(1);
  expect(await errors.find(captured[0].errorId)).toMatchObject({
    layer: 'L4',
    component: 'run-worker',
    errorClass: 'domain.constraint',
    severity: 'error',
    exceptionType: 'WaybillError:agent_timeout',
    step: 'implement',
    correlationId: step?.correlationId,
    context: { code: 'agent_timeout', exitCode: 7, signal: null },
  });
  await expect.poll(() => capture.counts).toEqual({ stored: 1, spooled: 0, lost: 0, unknown: 0 });
});

test('an envelope the domain has recorded is not written again at a boundary (part of F6)', async () => {
  const capture = make();
  await capture.attach(errors);
  const error = new Error('x');
  const envelope = capture
    .emitterFor('L4', 'runs')
    .emit({ errorClass: 'domain.constraint', severity: 'error', message: 'x', error });
  expect(await capture.record(envelope, error)).toBe('stored');
  expect((await capture.capture(error, cli)).errorId).toBe(envelope.errorId);
  const other = new Error('stored by an operation');
  capture.recorded({ ...envelope, errorId: 'err_of_the_operation' }, other);
  expect((await capture.capture(other, cli)).errorId).toBe('err_of_the_operation');
  expect(await stored()).toBe(1);
});

test('F10 while the store is down envelopes wait on disk, in order; later they are stored once and the spool is empty', async () => {
  const before = make();
  await before.attach(down);
  for (const name of ['first', 'second', 'third']) {
    expect((await before.capture(new Error(name), cli)).kept).toBe('spooled');
  }
  expect(before.captureNow(new Error('last words'), cli).kept).toBe('spooled');
  expect(before.counts).toEqual({ stored: 0, spooled: 4, lost: 0, unknown: 0 });
  const files = await spooled();
  expect(files).toHaveLength(4);
  for (const file of files) expect((await stat(join(folder, 'spool', file))).mode & 0o777).toBe(0o600);

  await writeFile(join(folder, 'spool', `${'0'.repeat(16)}-err_${'0'.repeat(32)}.json`), '{"torn');
  await writeFile(join(folder, 'spool', '.waybill-tmp-999999999-0123456789abcdef-1'), 'what a dead process left');
  const [one, two] = await Promise.all([make().attach(errors), make().attach(errors)]);
  expect(one.stored + two.stored).toBe(4);
  const { envelopes } = await errors.byComponent('cli');
  expect(envelopes.map((envelope) => envelope.message)).toEqual(['first', 'second', 'third', 'last words']);
  expect(await spooled()).toEqual([`${'0'.repeat(16)}-err_${'0'.repeat(32)}.json.refused`]);
});

test('F10 a process whose store comes back stores what it had spooled', async () => {
  const capture = make();
  await capture.attach(down);
  await capture.capture(new Error('during'), cli);
  await capture.attach(errors);
  await capture.capture(new Error('after'), cli);
  await expect.poll(stored).toBe(2);
  const flaky: ErrorStore = { ...errors, persist: () => Promise.reject(new Error('down')) };
  await capture.attach(flaky);
  await capture.capture(new Error('again'), cli);
  const healed: ErrorStore = { ...errors };
  Object.assign(flaky, healed);
  await capture.capture(new Error('healed'), cli);
  await expect.poll(stored).toBe(4);
  await expect.poll(spooled).toEqual([]);
});

test('F10 a store that does not answer does not keep the caller, and what answers late is not stored twice', async () => {
  const capture = make({ storeTimeoutMs: 20 });
  const answers: (() => void)[] = [];
  const slow: ErrorStore = {
    ...errors,
    persist: (envelope) => new Promise<void>((resolve) => answers.push(resolve)).then(() => errors.persist(envelope)),
  };
  await capture.attach(slow);
  expect((await capture.capture(new Error('slow'), cli)).kept).toBe('spooled');
  for (const answer of answers) answer();
  await expect.poll(stored).toBe(1);
  expect(await make().attach(errors)).toEqual({ stored: 0, refused: 0, failure: null });
  expect(await stored()).toBe(1);
});

test('F10 what neither store nor disk can take is counted exactly, and the caller goes on', async () => {
  await mkdir(join(folder, 'blocked'));
  await writeFile(join(folder, 'blocked', 'spool'), 'a file where the folder belongs');
  const capture = new ErrorCapture({ ...testSettings(), spoolFolder: join(folder, 'blocked', 'spool') });
  expect((await capture.attach(errors)).failure).toMatchObject({ code: 'file_write_failed' });
  capture.detach();
  for (let n = 0; n < 5; n++) expect((await capture.capture(new Error('x'), cli)).kept).toBe('lost');
  const nowhere = new ErrorCapture({ ...testSettings(), spoolFolder: null });
  expect((await nowhere.capture(new Error('x'), cli)).kept).toBe('lost');
  expect([capture.counts.lost, nowhere.counts.lost]).toEqual([5, 1]);
});

test('whatever is thrown has an envelope; what is no error is counted as unknown (part of F6)', async () => {
  const capture = make();
  await capture.attach(errors);
  const hostile = new Proxy(new Error('x'), {
    get: () => {
      throw new Error('not for you');
    },
  });
  const worse = new Proxy(new WaybillError('internal', 'x'), { get: () => void hostile.message });
  for (const thrown of ['text', 7, null, undefined, Symbol('s'), { a: 1 }, () => 1, hostile, worse]) {
    expect((await capture.capture(thrown, cli)).kept).toBe('stored');
  }
  expect(await stored()).toBe(9);
  expect(capture.counts.unknown).toBe(7);
});

test('a refused request is the domain speaking, and means that failed are never the domain, wherever they are caught (part of F2)', async () => {
  const capture = make();
  await capture.attach(errors);
  const layerAndClass = async (error: unknown, layer: 'L2' | 'L4' | 'L5') => {
    const { envelope } = await capture.capture(error, { layer, component: 'x' });
    return `${envelope.layer} ${envelope.errorClass} ${envelope.severity}`;
  };
  const system = (code: string): Error => Object.assign(new Error(code), { code });
  expect(await layerAndClass(new WaybillError('invalid_input', 'x'), 'L2')).toBe('L4 domain.validation warning');
  expect(await layerAndClass(new WaybillError('run_not_found', 'x'), 'L2')).toBe('L4 domain.not_found warning');
  expect(await layerAndClass(new WaybillError('run_canceled', 'x'), 'L5')).toBe('L4 domain.constraint info');
  expect(await layerAndClass(new WaybillError('chain_broken', 'x'), 'L4')).toBe('L4 system.state_corruption critical');
  expect(await layerAndClass(new WaybillError('store_busy', 'x'), 'L4')).toBe('L6 infra.timeout error');
  expect(
    await layerAndClass(new WaybillError('file_write_failed', 'x', { details: { systemCode: 'EACCES' } }), 'L5'),
  ).toBe('L5 system.configuration error');
  expect(await layerAndClass(system('ECONNREFUSED'), 'L5')).toBe('L5 infra.connection error');
  expect(await layerAndClass(new TypeError('x'), 'L2')).toBe('L2 system.internal error');
});

test('every error code has a class of its own layer, none is unknown (part of F6)', () => {
  const codes = Object.keys(errorCodes).filter((code): code is keyof typeof errorCodes => code in errorCodes);
  expect(codes.length).toBeGreaterThan(50);
  for (const code of codes) expect(classify(new WaybillError(code, 'x')).errorClass, code).not.toBe('unknown');
});

test.each(['throw', 'reject'])(
  'the last words of a process that dies of a %s are spooled, told once and stored later (part of F6)',
  async (how) => {
    const child = fileURLToPath(new URL('./fixtures/dying-process.ts', import.meta.url));
    const { code, stdout } = await new Promise<{ code: unknown; stdout: string }>((resolve) => {
      execFile(process.execPath, [child, join(folder, 'spool'), how], (error, out) => {
        resolve({ code: error?.code, stdout: out });
      });
    });
    expect(code).toBe(3);
    const [, errorId = ''] = /^told (err_[0-9a-f]{32}) spooled\n$/.exec(stdout) ?? [];
    expect(await make().attach(errors)).toEqual({ stored: 1, refused: 0, failure: null });
    expect(await errors.find(errorId)).toMatchObject({
      component: 'process',
      message: `died of a ${how}`,
      layer: 'L2',
    });
  },
);

test('F5 planted secrets are nowhere in the spool', async () => {
  const capture = make();
  const canary = 'c4n4ryInTheSpool77';
  capture.captureNow(new Error(`password=${canary}`, { cause: new Error(`Bearer ${canary}`) }), {
    ...cli,
    context: { apiKey: canary },
    input: { text: canary },
  });
  const [file = ''] = await spooled();
  const text = await readFile(join(folder, 'spool', file), 'utf8');
  expect(text).toContain('[redacted:password]');
  expect(text).not.toContain(canary);
});
