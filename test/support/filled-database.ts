import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync, type SQLOutputValue } from 'node:sqlite';
import { defineWorkflow } from '../../src/contract/define.ts';
import type { RunId } from '../../src/contract/ids.ts';
import { startUpload } from '../../src/domain/registry/blobs/uploads.ts';
import { publishVersion } from '../../src/domain/registry/publish/publish-version.ts';
import { arrangeDraft } from '../../src/domain/registry/testing/arrange-draft.ts';
import { openTestRegistry, type TestRegistry } from '../../src/domain/registry/testing/open-test-registry.ts';
import { tombstoneVersion } from '../../src/domain/registry/tombstone/tombstone-version.ts';
import { removeRuns } from '../../src/domain/runs/retention/remove-runs.ts';
import { movableClock } from '../../src/domain/runs/testing/aged-runs.ts';
import { openTokens } from '../../src/domain/workspace/tokens/open-tokens.ts';
import { digestOf } from '../../src/platform/digests/digest.ts';
import { storePlaces } from './store-places.ts';

export type Row = Readonly<Record<string, SQLOutputValue>>;

/** A SQLite database of the newest schema that the program has filled: runs, versions, tokens and all that goes with them. */
export interface FilledDatabase extends AsyncDisposable {
  readonly opened: TestRegistry;
  readonly runs: readonly RunId[];
  /** Of a token that opens. */
  readonly token: string;
  /** All rows of every table but `schema_migration`. */
  rows(): ReadonlyMap<string, readonly Row[]>;
}

const artifact = 'what the builder made';
const building = defineWorkflow('building', { snapshot: 'content' }, async (run, input) => {
  await run.agent('builder', { action: 'build', expectedOutputs: ['out.txt'] });
  await run.step('second', {}, async () => 2);
  if (input === 'wait') await run.approval('ship', { prompt: 'Ship it?' });
  return null;
});

/** Rows the program makes only in a daemon, or when something goes wrong. */
const further = [
  `INSERT INTO retention_pass (workspace, due_at, retry_at) VALUES ('ws', 5, NULL)`,
  `INSERT INTO run_process (marker, run, identity, started_at) SELECT 'marker', id, NULL, 5 FROM run LIMIT 1`,
  `INSERT INTO run_request (id, run, kind, payload, actor, created_at) SELECT 'req', id, 'pause', '{}', 'me', 5 FROM run LIMIT 1`,
  `INSERT INTO run_queue (run, state, priority, failures, accept_drift) SELECT id, 'resting', 0, 0, 0 FROM run WHERE state = 'waiting'`,
];

export async function fillDatabase(): Promise<FilledDatabase> {
  const [, openPlace] = storePlaces[0] ?? [];
  if (openPlace === undefined) throw new Error('there is no store');
  const place = await openPlace();
  const clock = movableClock();
  const opened: TestRegistry = await openTestRegistry({
    clock,
    workflows: [building],
    openStore: () => place.open(),
    agents: {
      builder: async () => {
        await writeFile(join(opened.world.root, 'out.txt'), artifact);
        return { outputs: {}, artifacts: [{ path: 'out.txt', size: artifact.length, digest: digestOf(artifact) }] };
      },
    },
  });
  const { registry, process } = opened;
  const run = async (input: string | null) => {
    const { runId, outcome } = await process.runs.start({ workflow: 'building', input, actor: 'me' });
    await outcome;
    return runId;
  };
  clock.goTo(90);
  await run(null);
  clock.goTo(0);
  await removeRuns(process.engine, { runDays: 30, runCount: null, dryRun: false, blockers: [], actor: 'me' });
  const built = await run(null);
  const waiting = await run('wait');
  const fork = await process.runs.fork(built, { actor: 'me', from: 'second' });
  await fork.outcome;
  const one = await arrangeDraft(registry, { run: built, files: { one: 'file one', two: 'file two' } });
  const signatures = [{ keyid: 'key', sig: 'AAAA' }];
  const envelope = JSON.stringify({ payload: 'e30=', payloadType: 'application/vnd.in-toto+json', signatures });
  await publishVersion(registry, { ...one, attestation: { envelope, keyId: 'key' } }, 'me');
  const old = await arrangeDraft(registry, { name: 'old', files: { file: 'of an old one' } });
  await publishVersion(registry, old, 'me');
  await tombstoneVersion(registry, { repo: 'local', versionId: old.versionId, reason: 'old' }, 'me');
  await arrangeDraft(registry, { name: 'draft', files: { file: 'of a draft' } });
  const tag = { package: one.packageId, tag: 'latest', version: one.versionId, updated_at: 1, updated_by: 'me' };
  await registry.store.write(({ db }) => db.insertInto('tag').values(tag).execute());
  await startUpload(registry, { repo: 'local' }, 'me');
  const tokens = openTokens(registry.store, registry.clock);
  const { token } = await tokens.make({ name: 'ci', role: 'admin' }, 'local:0');
  const path = join(place.folder ?? '', 'waybill.db');
  const owner = new DatabaseSync(path, { timeout: 5_000 });
  for (const statement of further) owner.exec(statement);
  owner.close();
  return {
    opened,
    runs: [built, waiting, fork.runId],
    token,
    rows: () => {
      const database = new DatabaseSync(path, { readOnly: true });
      try {
        const names = database
          .prepare(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'schema_migration' AND name NOT LIKE 'sqlite_%'",
          )
          .all()
          .map(({ name }) => String(name));
        return new Map(names.map((name) => [name, database.prepare(`SELECT * FROM ${name}`).all()]));
      } finally {
        database.close();
      }
    },
    [Symbol.asyncDispose]: async () => {
      await opened[Symbol.asyncDispose]();
      await place[Symbol.asyncDispose]();
    },
  };
}
