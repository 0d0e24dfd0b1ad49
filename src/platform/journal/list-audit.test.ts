import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bothJournals, type OpenedJournal } from '../../../test/support/open-journal.ts';
import { type AuditRecord, auditStatement } from './audit.ts';
import { type AuditFilter, listAudit } from './list-audit.ts';
import { sealAudit } from './seal-audit.ts';

const start = 1_700_000_000_000_000;
const outcomes = ['succeeded', 'succeeded', 'succeeded', 'succeeded', 'refused', 'succeeded', 'failed'] as const;
const actions = ['repo.made', 'run.queued', 'token.issued'] as const;

/** The two of one moment differ in their ids only. */
const records: readonly AuditRecord[] = Array.from({ length: 60 }, (_, index) => ({
  at: start + Math.floor(index / 2) * 1_000_000,
  actor: `token:${index % 4}`,
  action: actions[index % 3] ?? 'repo.made',
  resource: index % 5 === 0 ? `pkg_${index}` : `run-${index}`,
  outcome: outcomes[index % 7] ?? 'failed',
  details: { index },
}));

describe.each(bothJournals)('a list of the audit on %s', (_engine, open) => {
  let journal: OpenedJournal;
  beforeAll(async () => {
    journal = await open();
    await journal.store.submit({ statements: [auditStatement(records)] });
  });
  afterAll(() => journal[Symbol.asyncDispose]());

  async function all(filter: Omit<AuditFilter, 'limit' | 'cursor'>, limit = 7): Promise<number[]> {
    const found: number[] = [];
    for (let cursor: string | null = null; ; ) {
      const page = await listAudit(journal.store, { ...filter, limit, cursor });
      expect(page.records.length).toBeLessThanOrEqual(limit);
      found.push(...page.records.map(({ details }) => Number(JSON.parse(details ?? '{}').index)));
      cursor = page.nextCursor;
      if (cursor === null) return found;
    }
  }
  const expected = (fits: (record: AuditRecord) => boolean): number[] =>
    records.flatMap((record, index) => (fits(record) ? [index] : [])).reverse();

  test.each<readonly [string, Omit<AuditFilter, 'limit'>, (record: AuditRecord) => boolean]>([
    ['all', {}, () => true],
    ['who', { actor: 'token:1' }, ({ actor }) => actor === 'token:1'],
    ['what', { action: 'run.queued' }, ({ action }) => action === 'run.queued'],
    ['to what', { resource: 'run-7' }, ({ resource }) => resource === 'run-7'],
    ['to what kind', { resourcePrefix: 'pkg_' }, ({ resource }) => resource.startsWith('pkg_')],
    ['a prefix of another', { resourcePrefix: 'run-1' }, ({ resource }) => resource.startsWith('run-1')],
    ['what was refused', { outcome: 'refused' }, ({ outcome }) => outcome === 'refused'],
    ['what failed', { outcome: 'failed' }, ({ outcome }) => outcome === 'failed'],
    ['what succeeded', { outcome: 'succeeded' }, ({ outcome }) => outcome === 'succeeded'],
    ['from when', { since: start + 20_000_000 }, ({ at }) => at >= start + 20_000_000],
    ['until when', { until: start + 20_000_000 }, ({ at }) => at < start + 20_000_000],
    [
      'several at once',
      { actor: 'token:2', action: 'repo.made', resourcePrefix: 'run-', since: start + 1, until: start + 25_000_000 },
      ({ actor, action, resource, at }) =>
        actor === 'token:2' &&
        action === 'repo.made' &&
        resource.startsWith('run-') &&
        at > start &&
        at < start + 25_000_000,
    ],
  ])('G19 it is filtered by %s, newest first, page by page', async (_what, filter, fits) => {
    const wanted = expected(fits);
    expect(wanted.length).toBeGreaterThan(0);
    expect(await all(filter)).toEqual(wanted);
    expect(await all(filter, 1)).toEqual(wanted);
    expect(await all(filter, 200)).toEqual(wanted);
  });

  test('G19 what is written meanwhile moves no page', async () => {
    const filter = { actor: 'token:3', limit: 5 };
    const first = await listAudit(journal.store, filter);
    const late: AuditRecord = {
      at: start + 999_000_000,
      actor: 'token:3',
      action: 'repo.made',
      resource: 'late',
      outcome: 'succeeded',
      details: { index: 99 },
    };
    await journal.store.submit({ statements: [auditStatement([late])] });
    const second = await listAudit(journal.store, { ...filter, cursor: first.nextCursor });
    const indexes = [...first.records, ...second.records].map(({ details }) =>
      Number(JSON.parse(details ?? '{}').index),
    );
    expect(indexes).toEqual(expected(({ actor }) => actor === 'token:3').slice(0, 10));
  });

  test('G19 a limit or a cursor that is none is refused', async () => {
    for (const wrong of [
      { limit: 0 },
      { limit: 201 },
      { limit: 1.5 },
      { limit: 5, cursor: 'x' },
      { limit: 5, cursor: '1' },
    ]) {
      await expect(listAudit(journal.store, wrong)).rejects.toMatchObject({ code: 'invalid_argument' });
    }
  });
});

describe.each(bothJournals)('the plans of the audit on %s', (engine, open) => {
  test('G19 each filter is answered from an index, in the order of the list', async () => {
    await using journal = await open();
    const numbers =
      engine === 'SQLite'
        ? 'WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)'
        : 'WITH n (i) AS (SELECT generate_series(1, 20000))';
    const outcome = "CASE WHEN i % 100 = 0 THEN 'failed' ELSE 'succeeded' END";
    const values = `SELECT i, 'actor-' || (i % 50), 'action-' || (i % 40), 'resource-' || i, ${outcome} FROM n`;
    const insert =
      engine === 'SQLite'
        ? `INSERT INTO audit (at, actor, action, resource, outcome) ${numbers} ${values}`
        : `${numbers} INSERT INTO audit (at, actor, action, resource, outcome) ${values}`;
    await journal.asOwner(insert, 'ANALYZE audit');
    const plans: readonly (readonly [string, string])[] = [
      ['TRUE', 'audit_by_time'],
      ["actor = 'actor-7'", 'audit_by_actor'],
      ["action = 'action-7'", 'audit_by_action'],
      ["resource = 'resource-7'", 'audit_by_resource'],
      ["outcome = 'failed' AND outcome <> 'succeeded'", 'audit_not_succeeded'],
      ["actor = 'actor-7' AND at >= 100 AND at < 9000 AND (at, id) < (8000, 3)", 'audit_by_actor'],
    ];
    for (const [where, index] of plans) {
      const query = `SELECT * FROM audit WHERE ${where} ORDER BY at DESC, id DESC LIMIT 51`;
      expect(await journal.plan(query), where).toContain(index);
      expect(await journal.plan(query), where).not.toMatch(/TEMP B-TREE|Seq Scan/);
    }
    await sealAudit(journal.store);
    await journal.asOwner('ANALYZE audit');
    const unsealed = 'SELECT id FROM audit WHERE position IS NULL ORDER BY id LIMIT 500';
    expect(await journal.plan(unsealed)).toContain('audit_unsealed');
    const page = 'SELECT * FROM audit WHERE position > 500 ORDER BY position LIMIT 1000';
    expect(await journal.plan(page)).toContain('audit_by_position');
  });
});
