import { setImmediate as nextTurn } from 'node:timers/promises';
import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { bothJournals, type OpenedJournal } from '../../../test/support/open-journal.ts';
import type { WriteTx } from '../store/store.ts';
import { type AuditRecord, auditStatement } from './audit.ts';
import { sealAudit } from './seal-audit.ts';
import { verifyAuditChain } from './verify-audit-chain.ts';

const record = (index: number): AuditRecord => ({
  at: 1_700_000_000_000_000 + index,
  actor: index % 2 === 0 ? 'local:0' : 'token:ci',
  action: 'repo.made',
  resource: `repo-${index}`,
  outcome: 'succeeded',
  reason: index % 3 === 0 ? null : 'because "ä"\n',
  details: { index, nested: { list: [1, null] } },
});

async function write(journal: Pick<OpenedJournal, 'store'>, from: number, count: number): Promise<void> {
  const records = Array.from({ length: count }, (_, index) => record(from + index));
  await journal.store.submit({ statements: [auditStatement(records)] });
}

const rowsOf = ({ store }: OpenedJournal) =>
  store.read((tx) => tx.db.selectFrom('audit').selectAll().orderBy('id').execute());

describe.each(bothJournals)('the chain of the audit on %s', (engine, open) => {
  const drop =
    engine === 'SQLite' ? (name: string) => `DROP TRIGGER ${name}` : (name: string) => `DROP TRIGGER ${name} ON audit`;
  const noGuards =
    engine === 'SQLite'
      ? ['audit_insert', 'audit_update', 'audit_delete'].map(drop)
      : ['audit_inserted', 'audit_sealed', 'audit_unchanged', 'audit_kept'].map(drop);
  const noGuardOfHead =
    engine === 'SQLite'
      ? ['audit_chain_update', 'audit_chain_delete'].map(drop)
      : ['DROP TRIGGER audit_chain_grows ON audit_chain'];

  test('G19 what is written is sealed once, in order, and the chain is intact; nothing else of a record changes', async () => {
    await using journal = await open();
    expect(await verifyAuditChain(journal.store)).toMatchObject({ intact: true, checked: 0, unsealed: 0 });
    await write(journal, 0, 1_203);
    const before = await rowsOf(journal);
    expect(await verifyAuditChain(journal.store)).toMatchObject({ intact: true, checked: 0, unsealed: 1_203 });
    expect(await sealAudit(journal.store)).toBe(1_203);
    expect(await sealAudit(journal.store)).toBe(0);
    const after = await rowsOf(journal);
    expect(after.map(({ position }) => position)).toEqual(before.map((_, index) => index + 1));
    const unsealed = { position: null, previous: null, digest: null };
    expect(after.map((row) => ({ ...row, ...unsealed }))).toEqual(before);
    await write(journal, 2_000, 3);
    const report = await verifyAuditChain(journal.store);
    expect(report).toEqual({
      intact: true,
      checked: 1_203,
      unsealed: 3,
      head: { position: 1_203, digest: after.at(-1)?.digest },
      problems: [],
      problemCount: 0,
    });
  });

  test('G19 several that seal while others write make one chain without a gap', async () => {
    await using journal = await open();
    const others = await Promise.all([journal.again(), journal.again()]);
    const stores = [journal.store, ...others];
    let writing = true;
    const sealers = stores.map(async (store) => {
      let sealed = 0;
      while (writing) {
        sealed += await sealAudit(store);
        await nextTurn();
      }
      return sealed + (await sealAudit(store));
    });
    const writers = stores.map(async (store, index) => {
      for (let at = 0; at < 40; at++) await write({ store }, index * 1_000 + at * 5, 5);
    });
    await Promise.all(writers);
    writing = false;
    const sealed = await Promise.all(sealers);
    expect(sealed.reduce((sum, count) => sum + count)).toBe(600);
    expect(await verifyAuditChain(journal.store)).toMatchObject({ intact: true, checked: 600, unsealed: 0 });
  });

  test('G19 by SQL with the role of the program no record is changed, deleted, replaced, sealed by hand or unsealed', async () => {
    await using journal = await open();
    await write(journal, 0, 4);
    await sealAudit(journal.store);
    await write(journal, 4, 1);
    const before = await rowsOf(journal);
    const [first] = before;
    const last = before.at(-1);
    if (first === undefined || last === undefined) throw new Error('no records');
    const digest = `sha256:${'0'.repeat(64)}`;
    const { id: _, ...values } = first;
    const change = (id: number, to: Partial<typeof first>) => (tx: WriteTx) =>
      tx.db.updateTable('audit').set(to).where('id', '=', id).execute();
    const attempts: ((tx: WriteTx) => Promise<unknown>)[] = [
      change(first.id, { actor: 'x' }),
      change(first.id, { position: null, previous: null, digest: null }),
      change(first.id, { digest }),
      change(first.id, { position: 9 }),
      change(last.id, { reason: 'x' }),
      change(last.id, { position: 5, previous: digest, digest }),
      change(last.id, { position: 4, previous: digest }),
      change(last.id, { actor: 'x', position: 4, previous: digest, digest }),
      (tx) => tx.db.deleteFrom('audit').where('id', '=', last.id).execute(),
      (tx) => tx.db.deleteFrom('audit').where('id', '=', first.id).execute(),
      (tx) =>
        tx.db
          .insertInto('audit')
          .values({ ...values, position: 5 })
          .execute(),
      (tx) =>
        tx.db
          .insertInto('audit')
          .values({ ...values, position: null, previous: null })
          .execute(),
      (tx) => tx.db.updateTable('audit_chain').set({ position: 3 }).execute(),
      (tx) => tx.db.updateTable('audit_chain').set({ digest }).execute(),
      (tx) => tx.db.deleteFrom('audit_chain').execute(),
      (tx) => tx.db.insertInto('audit_chain').values({ name: 'audit', position: 9, digest }).execute(),
    ];
    if (journal.store.engine === 'sqlite') {
      const unsealed = { position: null, previous: null, digest: null };
      attempts.push(
        (tx) =>
          tx.db
            .insertInto('audit')
            .orReplace()
            .values({ ...first, ...unsealed, actor: 'x' })
            .execute(),
        (tx) =>
          tx.db
            .insertInto('audit')
            .orReplace()
            .values({ ...values, ...unsealed, position: 1 })
            .execute(),
        (tx) => tx.db.insertInto('audit_chain').orReplace().values({ name: 'audit', position: 9, digest }).execute(),
        (tx) =>
          sql`UPDATE OR REPLACE audit SET position = 2, previous = ${digest}, digest = ${digest} WHERE id = ${last.id}`.execute(
            tx.db,
          ),
      );
    }
    for (const attempt of attempts) {
      await expect(journal.store.write(async (tx) => void (await attempt(tx)))).rejects.toMatchObject({
        code: expect.stringMatching(/^store_(immutable|constraint)$/),
      });
    }
    expect(await rowsOf(journal)).toEqual(before);
    expect(await verifyAuditChain(journal.store)).toMatchObject({ intact: true, checked: 4, unsealed: 1 });
  });

  test.each([
    ['a changed record', ["UPDATE audit SET actor = 'x' WHERE position = 3"], 3, 'changed'],
    ['changed details', ["UPDATE audit SET details = '{}' WHERE position = 4"], 4, 'changed'],
    ['another time', ['UPDATE audit SET at = at + 1 WHERE position = 1'], 1, 'changed'],
    ['a deleted record', ['DELETE FROM audit WHERE position = 3'], 3, 'missing'],
    ['deleted records at the end', ['DELETE FROM audit WHERE position >= 5'], 5, 'missing'],
    [
      'a gap that is closed',
      ['DELETE FROM audit WHERE position = 3', 'UPDATE audit SET position = 3 WHERE position = 4'],
      3,
      'changed',
    ],
    ['a record that is taken out of the chain', ['UPDATE audit SET position = NULL WHERE position = 2'], 2, 'missing'],
    [
      'two records exchanged',
      [
        'UPDATE audit SET position = 99 WHERE position = 2',
        'UPDATE audit SET position = 2 WHERE position = 3',
        'UPDATE audit SET position = 3 WHERE position = 99',
      ],
      2,
      'changed',
    ],
    [
      'a record put behind the end',
      [
        "INSERT INTO audit (at, actor, action, resource, outcome, position, previous, digest) SELECT at, 'x', action, resource, outcome, 7, previous, digest FROM audit WHERE position = 6",
      ],
      7,
      'beyond',
    ],
    [
      'an end that was moved back',
      ['UPDATE audit_chain SET position = 4, digest = (SELECT digest FROM audit WHERE position = 4)'],
      5,
      'beyond',
    ],
    [
      'an end with another digest',
      [`UPDATE audit_chain SET digest = (SELECT digest FROM audit WHERE position = 2)`],
      6,
      'head',
    ],
    ['no end', ['DELETE FROM audit_chain'], 0, 'head'],
  ] as const)('G19 verify finds %s and names its place', async (_what, tampering, position, problem) => {
    await using journal = await open();
    await write(journal, 0, 6);
    await sealAudit(journal.store);
    await journal.asOwner(...noGuards, ...noGuardOfHead, ...tampering);
    const report = await verifyAuditChain(journal.store);
    expect(report.intact).toBe(false);
    expect(report.problems[0]).toMatchObject({ position, problem });
    expect(report.problemCount).toBe(report.problems.length);
  });

  test('G19 a record that was sealed anew after a change is found by the one after it', async () => {
    await using journal = await open();
    await write(journal, 0, 6);
    await sealAudit(journal.store);
    const { auditLink } = await import('./audit-link.ts');
    const row = (await rowsOf(journal))[2];
    if (row?.previous === null || row === undefined) throw new Error('no record');
    const { parseId } = await import('../../contract/ids.ts');
    const forged = auditLink({ ...row, actor: 'x' }, 3, parseId('digest', row.previous));
    await journal.asOwner(...noGuards, `UPDATE audit SET actor = 'x', digest = '${forged}' WHERE position = 3`);
    const { problems } = await verifyAuditChain(journal.store);
    expect(problems).toMatchObject([{ position: 4, problem: 'cut' }]);
  });
});
