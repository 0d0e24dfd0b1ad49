import { DatabaseSync } from 'node:sqlite';
import { Webhook } from 'standardwebhooks';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { auditListSchema } from '../src/contract/api/audit.ts';
import { connectTo } from './postgres/start-postgres.ts';
import { startDaemon } from './support/daemon.ts';
import { engines, openDaemonStore, storeSettings } from './support/daemon-store.ts';
import { eventually as within } from './support/eventually.ts';
import { Receiver } from './support/webhook-world.ts';
import { makeWorkspace, type TestWorkspace } from './support/workspace.ts';

const configuration = `import { defineConfig, defineWorkflow } from 'waybill';
const asks = defineWorkflow('asks', { snapshot: 'none' }, async (run) => run.approval('go', { prompt: 'Go on?' }));
const waits = defineWorkflow('waits', { snapshot: 'none' }, async (run) => run.signal('news'));
export default defineConfig({
  workflows: [asks, waits], evidence: 'on-demand', ${storeSettings},
  webhooks: { allowPrivate: process.env.TEST_PRIVATE === undefined ? [] : [process.env.TEST_PRIVATE], backoffMs: 50 },
});
`;

const eventually = <T>(what: string, look: () => T | undefined | Promise<T | undefined>) => within(what, look, 15_000);
const reportShape = z.object({
  intact: z.boolean(),
  checked: z.int(),
  unsealed: z.int(),
  problems: z.array(z.object({ position: z.int(), problem: z.string() })),
});

async function verify(workspace: TestWorkspace) {
  const { code, stdout } = await workspace.waybill(['audit', 'verify', '--json']);
  return { code, ...reportShape.parse(JSON.parse(stdout)) };
}

async function records(workspace: TestWorkspace, ...args: string[]) {
  const { code, stdout, stderr } = await workspace.waybill(['audit', ...args, '--json']);
  expect([code, stderr]).toEqual([0, '']);
  return auditListSchema.parse(JSON.parse(stdout)).records;
}

describe.each(engines)('the audit of a workspace on %s', (engine) => {
  test('G19 what commands and the daemon do is recorded and sealed, and verify finds one changed byte', async () => {
    await using store = await openDaemonStore(engine);
    await using workspace = await makeWorkspace({ configuration, env: store.env });
    const ran = await workspace.waybill(['exec', '--', 'true']);
    expect(ran.code).toBe(0);
    // The command sealed what it had written, before anybody verified.
    expect(await store.rows(workspace, 'SELECT count(*) AS count FROM audit WHERE position IS NULL')).toEqual([
      { count: engine === 'sqlite' ? 0 : '0' },
    ]);
    const daemon = await startDaemon(workspace);
    const submitted = await workspace.waybill(['submit', '--workflow', 'asks', '--json']);
    const { runId } = z.object({ runId: z.string() }).parse(JSON.parse(submitted.stdout));
    await eventually('it waits', async () => ((await workspace.show(runId)).state === 'waiting' ? true : undefined));
    expect((await workspace.waybill(['approve', runId])).code).toBe(0);
    expect((await workspace.waybill(['cancel', runId])).code).toBeLessThan(3);
    expect((await daemon.ask('GET', '/v1/audit', { token: 'wb_nonsense' })).status).toBe(401);
    await eventually('the daemon has sealed all of it', async () => {
      const [row] = await store.rows(workspace, 'SELECT count(*) AS count FROM audit WHERE position IS NULL');
      return Number(row?.count) === 0 ? true : undefined;
    });
    const actions = (await records(workspace, '--resource', runId)).map(({ action }) => action);
    expect(actions).toEqual(expect.arrayContaining(['run.queued', 'run.approve.requested']));
    expect(await records(workspace, '--outcome', 'refused')).toMatchObject([
      { action: 'request.refused', reason: 'unauthorized', actor: 'anonymous' },
    ]);
    const [newest] = await records(workspace, '--limit', '1');
    expect(await records(workspace, '--since', newest?.at ?? '')).not.toHaveLength(0);
    expect(await records(workspace, '--until', '2020-01-01')).toHaveLength(0);
    await daemon.stop();
    const intact = await verify(workspace);
    expect(intact).toMatchObject({ code: 0, intact: true, unsealed: 0, problems: [] });
    expect(intact.checked).toBeGreaterThan(3);
    expect((await workspace.waybill(['audit', 'verify'])).stdout).toMatch(
      /^intact: \d+ records checked\nends at \d+ with sha256:/,
    );
    await tamper(engine, store.env, workspace);
    const broken = await verify(workspace);
    expect(broken).toMatchObject({ code: 1, intact: false, problems: [{ position: 2, problem: 'changed' }] });
    expect((await workspace.waybill(['audit', 'verify'])).stdout).toMatch(/^broken: .*\n {2}2 {2}changed: /);
  }, 60_000);

  test('G18 the daemon tells a webhook of what happens; without one `webhooks relay` does', async () => {
    let well = true;
    await using receiver = await Receiver.open((_, response) => void response.writeHead(well ? 204 : 410).end());
    await using store = await openDaemonStore(engine);
    const env = { ...store.env, TEST_PRIVATE: receiver.host };
    await using workspace = await makeWorkspace({ configuration, env });
    expect(await workspace.waybill(['webhooks', 'make', 'http://127.0.0.1:1/'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('webhook_refused'),
    });
    const { stdout } = await workspace.waybill(['webhooks', 'make', receiver.url, '--json']);
    const made = z.object({ id: z.string(), secret: z.string() }).parse(JSON.parse(stdout));
    await workspace.waybill(['exec', '--', 'true']);
    expect(receiver.ids).toEqual([]);
    const relayed = await workspace.waybill(['webhooks', 'relay', '--json']);
    expect(JSON.parse(relayed.stdout)).toMatchObject({ handedOver: 1, delivered: 1, dead: 0 });
    const [first] = receiver.received;
    const headers = Object.fromEntries(
      Object.entries(first?.headers ?? {}).map(([name, value]) => [name, String(value)]),
    );
    expect(new Webhook(made.secret).verify(first?.body ?? '', headers)).toMatchObject({
      type: 'dev.waybill.run.succeeded',
      source: expect.stringMatching(/^urn:waybill:ws_[0-9a-f]{32}$/),
    });
    const daemon = await startDaemon(workspace);
    await workspace.waybill(['exec', '--', 'true']);
    await eventually('the daemon has told it', () => (receiver.ids.length === 2 ? true : undefined));
    well = false;
    await workspace.waybill(['exec', '--', 'false']);
    const dead = async () => {
      const listed = await workspace.waybill(['webhooks', 'deliveries', made.id, '--state', 'dead', '--json']);
      return z.object({ deliveries: z.array(z.object({ id: z.string() })) }).parse(JSON.parse(listed.stdout))
        .deliveries;
    };
    await eventually('it is dead', async () => ((await dead()).length === 1 ? true : undefined));
    const envelopes = await store.rows(workspace, 'SELECT message FROM infra_error_events');
    expect(JSON.stringify(envelopes)).toContain(`an event was not delivered to ${made.id}`);
    well = true;
    const again = await workspace.waybill(['webhooks', 'redeliver', made.id, '--dead']);
    expect(again).toMatchObject({ code: 0, stdout: expect.stringMatching(/^1 event is sent again/) });
    await eventually('it came after all', () => (receiver.ids.length === 4 ? true : undefined));
    expect(receiver.ids[3]).toBe(receiver.ids[2]);
    expect((await workspace.waybill(['webhooks'])).stdout).toMatch(new RegExp(`${made.id} .* all +0 +3 +0`));
    expect((await workspace.waybill(['webhooks', 'remove', made.id])).code).toBe(0);
    await daemon.stop();
    const actions = (await records(workspace, '--resource', made.id)).map(({ action }) => action);
    expect(actions).toEqual(['webhook.removed', 'delivery.redelivered', 'delivery.dead', 'webhook.made']);
  }, 60_000);
});

/** As the owner of the tables, who can drop what guards them. */
async function tamper(engine: 'sqlite' | 'postgres', env: Readonly<Record<string, string>>, workspace: TestWorkspace) {
  const change = "UPDATE audit SET actor = 'local:99' WHERE position = 2";
  if (engine === 'sqlite') {
    const database = new DatabaseSync(workspace.database);
    database.exec(`DROP TRIGGER audit_update; ${change}`);
    database.close();
    return;
  }
  const url = new URL(env.TEST_STORE ?? '');
  const client = await connectTo(url.searchParams.get('host') ?? '', url.pathname.slice(1));
  try {
    await client.query(`DROP TRIGGER audit_unchanged ON audit; ${change}`);
  } finally {
    await client.end();
  }
}
