import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { WaybillError } from '../src/contract/errors.ts';
import type { LedgerEvent } from '../src/contract/evidence.ts';
import { type Client, createClient } from '../src/sdk/client/index.ts';
import { type Daemon, freePort, startDaemon } from './support/daemon.ts';
import { type DaemonStore, engines, openDaemonStore, storeSettings } from './support/daemon-store.ts';
import { effectTools, type ToolEffect, toolEffects, workOf } from './support/effect-tools.ts';
import { eventually } from './support/eventually.ts';
import { Random } from './support/random.ts';
import { readStream } from './support/read-stream.ts';
import { makeWorkspace, type TestWorkspace } from './support/workspace.ts';

const full = process.env.WAYBILL_TEST_FULL === '1';
const size = full ? { runs: 100, kills: 30 } : { runs: 30, kills: 3 };

const configuration = `import { defineConfig, defineWorkflow } from 'waybill';
const mixed = defineWorkflow('mixed', { snapshot: 'none' }, async (run, n) => {
  const first = await run.step('first', { n }, () => n + 1);
  const counted = await run.tool('count', { n: first });
  await run.sleep('short', 40);
  const shouted = await run.tool('shout', { n: counted.n });
  await run.sleep('long', 1100);
  return run.step('last', { shouted }, () => shouted.n + 1);
});
const gate = defineWorkflow('gate', { snapshot: 'none' }, async (run, n) => {
  const counted = await run.tool('count', { n });
  const { approved } = await run.approval('ship', { prompt: 'Ship it?' });
  return { n: counted.n, approved };
});
export default defineConfig({ workflows: [mixed, gate], evidence: 'on-demand', ${storeSettings} });
`;

interface Kind {
  readonly body: (n: number) => { readonly tool?: string; readonly workflow?: string; readonly input: unknown };
  readonly ends: LedgerEvent['type'];
  readonly output: (n: number) => unknown;
  /** How many different pieces of work leave an effect. */
  readonly works: number;
}

const kinds: readonly Kind[] = [
  {
    body: (n) => ({ tool: 'count', input: { n } }),
    ends: 'run.succeeded',
    output: (n) => ({ n: n * 2 }),
    works: 1,
  },
  { body: (n) => ({ tool: 'shout', input: { n } }), ends: 'run.succeeded', output: (n) => ({ n }), works: 1 },
  { body: (n) => ({ workflow: 'mixed', input: n }), ends: 'run.succeeded', output: (n) => (n + 1) * 2 + 1, works: 2 },
  {
    body: (n) => ({ workflow: 'gate', input: n }),
    ends: 'run.succeeded',
    output: (n) => ({ n: n * 2, approved: true }),
    works: 1,
  },
  { body: (n) => ({ tool: 'refuse', input: { n } }), ends: 'run.failed', output: () => null, works: 1 },
];

interface Lived {
  readonly runId: string;
  readonly kind: Kind;
  readonly n: number;
  readonly byClient: readonly LedgerEvent[];
  readonly byHand: readonly LedgerEvent[];
  readonly connections: number;
}

/** From the submit to the last event, as a user of the client and a reader with curl live it. */
async function live(
  client: Client,
  daemon: Pick<Daemon, 'url' | 'token'>,
  n: number,
  onEvent: () => void,
): Promise<Lived> {
  const kind = kinds[n % kinds.length];
  if (kind === undefined) throw new Error('no kind');
  const submit = () => client.runs.submit({ body: kind.body(n), headers: { 'idempotency-key': `run ${n}` } });
  const { runId } = (await submit()).body;
  const byHand = readStream(daemon, runId, { format: n % 2 === 0 ? 'sse' : 'ndjson', onEvent });
  const byClient: LedgerEvent[] = [];
  for await (const event of client.follow(runId)) {
    byClient.push(event);
    if (event.type !== 'approval.requested') continue;
    await client.runs.answerApproval({
      params: { runId, step: 'ship' },
      body: { approved: true },
      headers: { 'idempotency-key': `approve ${n}` },
    });
  }
  expect((await submit()).body.runId).toBe(runId);
  const { events, end, connections } = await byHand;
  expect(end).toBeNull();
  return { runId, kind, n, byClient, byHand: events, connections };
}

/** What was durable when the daemon was killed. */
interface Crash {
  readonly receipts: readonly string[];
  readonly effects: readonly ToolEffect[];
}

async function look(workspace: TestWorkspace, store: DaemonStore): Promise<Crash> {
  const rows = await store.rows(workspace, 'SELECT body FROM receipt');
  const shape = z.object({ runId: z.string(), idempotencyKey: z.string() });
  const receipts = rows.map(({ body }) => workOf(shape.parse(JSON.parse(z.string().parse(body)))));
  return { receipts, effects: await toolEffects(workspace) };
}

/**
 * A run that was at work in one crash after the other is set aside, for it may be what ends the daemons; until all are
 * over, somebody who knows better resumes it.
 */
async function resumeParked(workspace: TestWorkspace, store: DaemonStore, client: Client, left: () => number) {
  while (left() > 0) {
    const parked = await store.rows(workspace, "SELECT run FROM run_queue WHERE state = 'parked'");
    for (const { run } of parked) {
      await client.runs.resume({ params: { runId: z.string().parse(run) } }).catch((error: unknown) => {
        const passing = ['daemon_unreachable', 'lease_held', 'invalid_transition', 'draining'];
        if (!(error instanceof WaybillError) || !passing.includes(error.code)) throw error;
      });
    }
    await delay(500);
  }
}

const timesDone = (effects: readonly ToolEffect[], work: string): number =>
  effects.filter((effect) => workOf(effect) === work).length;

test.each(engines)(
  'D9 D14 %s: SIGKILL of the daemon at random times loses nothing, repeats nothing, and every follower completes',
  {
    timeout: full ? 1_800_000 : 120_000,
  },
  async (engine) => {
    const random = Random.printed(`D9 daemon kills on ${engine}`);
    await using store = await openDaemonStore(engine);
    await using workspace = await makeWorkspace({ configuration, files: effectTools, env: store.env });
    const port = await freePort();
    let daemon = await startDaemon(workspace, { port });
    const options = { token: daemon.token, retryMs: 60_000, backoff: { firstMs: 20, mostMs: 200 } };
    const client = createClient({ url: daemon.url }, options);

    let [seen, left] = [0, size.runs];
    const lives = Array.from({ length: size.runs }, async (_, n) => {
      // Spread, so that each crash meets some that are queued, some at work and some that are being submitted.
      await delay((n * size.kills * 700) / size.runs);
      const lived = await live(client, daemon, n, () => {
        seen += 1;
      });
      left -= 1;
      return lived;
    });
    const all = Promise.all([Promise.all(lives), resumeParked(workspace, store, client, () => left)]);
    all.catch(() => {});

    const crashes: Crash[] = [];
    while (crashes.length < size.kills) {
      const wanted = seen + random.between(1, 4 * Math.ceil(size.runs / size.kills));
      await Promise.race([all, eventually('so many events', () => (seen >= wanted || left === 0 ? true : undefined))]);
      expect(left, 'runs that are not finished, so that the crash meets something').toBeGreaterThan(0);
      await delay(random.between(0, 40));
      await daemon.kill();
      crashes.push(await look(workspace, store));
      if (random.between(1, 3) === 1) {
        // This one dies while it starts, whatever it does just then.
        const starting = workspace.start(['serve', '--port', String(port)]);
        await delay(random.between(50, 700));
        starting.kill('SIGKILL');
        await starting.finished;
      }
      daemon = await startDaemon(workspace, { port });
    }

    const [lived] = await all;
    expect(new Set(lived.map(({ runId }) => runId)).size).toBe(size.runs);
    const states = await store.rows(workspace, 'SELECT state FROM run');
    expect(states).toHaveLength(size.runs);
    const { receipts, effects } = await look(workspace, store);
    for (const { runId, kind, n, byClient, byHand } of lived) {
      expect(byHand.map(({ seq }) => seq)).toEqual(byHand.map((_, index) => index + 1));
      expect(byClient).toEqual(byHand);
      expect(byHand.at(-1)).toMatchObject({ type: kind.ends });
      const run = await client.runs.get({ params: { runId } });
      expect(run).toMatchObject({ output: kind.output(n), interrupted: false, lastSeq: byHand.length });
      const works = new Set(effects.filter((effect) => effect.runId === runId).map(workOf));
      expect(works.size).toBe(kind.works);
      for (const work of works) expect(receipts).toContain(work);
    }
    // No work is in two receipts, and none that had one when a daemon died was done again.
    expect(new Set(receipts).size).toBe(receipts.length);
    for (const crash of crashes) {
      for (const work of crash.receipts) expect(timesDone(effects, work)).toBe(timesDone(crash.effects, work));
    }
    expect(lived.filter(({ connections }) => connections > 1).length).toBeGreaterThan(0);
    expect((await daemon.stop()).code).toBe(0);
    for (const { runId } of lived.slice(0, full ? size.runs : kinds.length)) await workspace.assertIntact(runId);
    console.log(
      `D9 ${engine}: ${crashes.length} crashes, ${effects.length - new Set(effects.map(workOf)).size} pieces of work sent again`,
    );
  },
);
