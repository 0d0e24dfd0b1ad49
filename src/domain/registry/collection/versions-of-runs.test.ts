import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../../../test/support/both-stores.ts';
import { parseId } from '../../../contract/ids.ts';
import { makeId } from '../../../platform/ids/make-id.ts';
import { removeRun } from '../../runs/retention/remove-run.ts';
import { removeRuns } from '../../runs/retention/remove-runs.ts';
import { agedWorkflow, movableClock } from '../../runs/testing/aged-runs.ts';
import { arrangeDraft } from '../testing/arrange-draft.ts';
import { openTestRegistry, type TestRegistry } from '../testing/open-test-registry.ts';
import { versionsOfRuns } from './versions-of-runs.ts';

afterAll(dropDatabases);

async function agedRun({ process }: TestRegistry, clock: ReturnType<typeof movableClock>) {
  clock.goTo(90);
  const { runId, outcome } = await process.runs.start({ workflow: 'aged', input: null, actor: 'me' });
  await outcome;
  clock.goTo(0);
  return runId;
}

const past = { runDays: 30, runCount: null, dryRun: false, actor: 'local:7' };

describe.each(bothStores)('the runs of versions on %s', (_engine, open) => {
  test('D25 G26 a run that a version was made by is kept by name; without the blocker the tables keep it', async () => {
    const clock = movableClock();
    await using opened = await openTestRegistry({ ...(await open()), clock, workflows: [agedWorkflow] });
    const { registry, process } = opened;
    const [built, other] = [await agedRun(opened, clock), await agedRun(opened, clock)];
    await arrangeDraft(registry, { name: 'tool', version: '1.2.0', run: built });
    const blockers = [versionsOfRuns(registry.store)];
    const why = 'the draft local/tool@1.2.0 was made by it';
    expect(await removeRuns(process.engine, { ...past, blockers, dryRun: true })).toMatchObject({ removed: 1 });
    expect(await removeRuns(process.engine, { ...past, blockers })).toEqual({
      removed: 1,
      kept: 1,
      blocked: [{ run: built, why }],
    });
    expect(await removeRuns(process.engine, { ...past, blockers: [] })).toEqual({
      removed: 0,
      kept: 1,
      blocked: [{ run: built, why: 'a version was made by this run' }],
    });
    // A version is not made by a run that is not here, whether it never was or is not any more.
    for (const run of [other, parseId('run', 'run-20200101-000000-00000000')]) {
      await expect(arrangeDraft(registry, { name: 'late', run })).rejects.toMatchObject({ code: 'run_not_found' });
    }
  });

  test('D25 a run that is removed while a draft of it is being made: one of both, and never a version without its run', async () => {
    const clock = movableClock();
    await using opened = await openTestRegistry({ ...(await open()), clock, workflows: [agedWorkflow] });
    const { registry } = opened;
    const { store } = registry;
    const at = clock.now();
    const packageId = makeId('package');
    const made = { created_at: at, created_by: 'test' };
    await store.write(({ db }) =>
      db
        .insertInto('package')
        .values({ id: packageId, repo: 'local', type: 'generic', name: 'raced', events: 0, ...made })
        .execute(),
    );
    const seen = new Set<string>();
    for (let round = 0; round < 12; round++) {
      const run = await agedRun(opened, clock);
      const row = await store.read(({ db }) =>
        db.selectFrom('run').selectAll().where('id', '=', run).executeTakeFirstOrThrow(),
      );
      const finished = {
        run,
        state: 'succeeded' as const,
        finishedAt: row.finished_at ?? 0,
        lastSeq: row.head_seq,
        lastDigest: row.head_digest,
      };
      const draft = async () => {
        const version = { id: makeId('version'), package: packageId, repo: 'local', version: `1.0.${round}` };
        await store.write(({ db }) =>
          db
            .insertInto('version')
            .values({ ...version, state: 'draft', run, ...made })
            .execute(),
        );
      };
      const removal = () => removeRun(store, finished, { reason: 'age', actor: 'me', now: clock.now() });
      const works = round % 2 === 0 ? [draft(), removal()] : [removal(), draft()];
      const codes = (await Promise.allSettled(works)).map((each) =>
        each.status === 'fulfilled' ? 'done' : String(Reflect.get(Object(each.reason), 'code')),
      );
      const [drafted, removed] = round % 2 === 0 ? codes : codes.toReversed();
      seen.add(`${drafted} ${removed}`);
      const left = await store.read(async ({ db }) => ({
        runs: (await db.selectFrom('run').select('id').where('id', '=', run).execute()).length,
        versions: (await db.selectFrom('version').select('id').where('run', '=', run).execute()).length,
      }));
      expect(left).toEqual(drafted === 'done' ? { runs: 1, versions: 1 } : { runs: 0, versions: 0 });
    }
    for (const outcome of seen) expect(['done store_immutable', 'run_not_found done']).toContain(outcome);
    expect(seen.size).toBeGreaterThan(0);
  });
});
