import { sql } from 'kysely';
import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../../../test/support/both-stores.ts';
import { type NewRule, newRuleSchema } from '../../../contract/api/policy.ts';
import type { VersionId } from '../../../contract/ids.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import { openLiveRun } from '../../runs/testing/live-run.ts';
import { findBlob } from '../blobs/find-blob.ts';
import { showVersion } from '../packages/describe-version.ts';
import { publishVersion } from '../publish/publish-version.ts';
import type { Registry } from '../registry.ts';
import { deleteRepo } from '../repos/delete-repo.ts';
import { makeRepo } from '../repos/make-repo.ts';
import { arrangeDraft } from '../testing/arrange-draft.ts';
import { openTestRegistry } from '../testing/open-test-registry.ts';
import { tombstoneVersion } from '../tombstone/tombstone-version.ts';
import { assertMayDownload } from './assert-may-download.ts';
import { listQuarantine } from './list-quarantine.ts';
import { listRules } from './list-rules.ts';
import { makeRule } from './make-rule.ts';
import { removeRule } from './remove-rule.ts';

afterAll(dropDatabases);

const ruleOf = (about: object): NewRule => newRuleSchema.parse({ reason: 'because', ...about });
const named = (pattern: string, blocks: NewRule['blocks']) => ruleOf({ kind: 'name', parameters: { pattern }, blocks });

async function audited(registry: Registry): Promise<readonly string[]> {
  const rows = await registry.store.read(({ db }) =>
    db.selectFrom('audit').select(['action', 'outcome', 'reason']).orderBy('id').execute(),
  );
  return rows.map(({ action, outcome }) => (outcome === 'succeeded' ? action : `${action} ${outcome}`));
}

/** As every download asks. */
function assertDownloadable({ store }: Registry, versionId: VersionId): Promise<void> {
  return store.read((tx) => assertMayDownload(tx, versionId));
}

async function published(registry: Registry, name: string) {
  const draft = await arrangeDraft(registry, { name });
  await publishVersion(registry, draft, 'publisher');
  return draft;
}

describe.each(bothStores)('rules on %s', (_engine, open) => {
  test('G22 a rule refuses a publish with every rule that blocks it and why, whoever asks; without it, it goes through', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    const draft = await arrangeDraft(registry, { name: 'evil-tool' });
    const here = await makeRule(registry, { repo: 'local', rule: named('*:evil-*', 'publish') }, 'admin');
    const everywhere = await makeRule(
      registry,
      { repo: null, rule: ruleOf({ kind: 'unattested', blocks: 'both', reason: 'sign it' }) },
      'admin',
    );
    await makeRule(registry, { repo: 'local', rule: named('generic:other', 'both') }, 'admin');
    for (const by of ['publisher', 'admin', 'token:ci']) {
      await expect(publishVersion(registry, draft, by)).rejects.toMatchObject({
        code: 'policy_refused',
        details: {
          rules: [
            { rule: here.rule.ruleId, kind: 'name', reason: 'because', why: 'generic:evil-tool matches *:evil-*' },
            { rule: everywhere.rule.ruleId, kind: 'unattested', reason: 'sign it', why: 'it has no attestation' },
          ],
        },
      });
    }
    expect((await showVersion(registry, 'local', draft.versionId)).state).toBe('draft');
    expect(await audited(registry)).toEqual([
      ...Array(3).fill('policy.rule.made'),
      ...Array(3).fill('package.version.publish.refused refused'),
    ]);
    await removeRule(registry, { repo: 'local', ruleId: here.rule.ruleId }, 'admin');
    await expect(publishVersion(registry, draft, 'publisher')).rejects.toMatchObject({ code: 'policy_refused' });
    await removeRule(registry, { repo: null, ruleId: everywhere.rule.ruleId }, 'admin');
    await publishVersion(registry, draft, 'publisher');
    await assertDownloadable(registry, draft.versionId);
  });

  test('G22 a rule that blocks downloads holds back what is there and what comes, until it is removed', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    const [bad, good] = [await published(registry, 'bad-1'), await published(registry, 'good')];
    const draft = await arrangeDraft(registry, { name: 'bad-draft' });
    const { rule, quarantined } = await makeRule(
      registry,
      { repo: 'local', rule: named('generic:bad-*', 'download') },
      'admin',
    );
    expect(quarantined).toBe(1);
    const later = await published(registry, 'bad-2');
    for (const { versionId } of [bad, later]) {
      await expect(assertDownloadable(registry, versionId)).rejects.toMatchObject({
        code: 'version_quarantined',
        details: { rules: [{ rule: rule.ruleId, reason: 'because' }] },
      });
      expect(await showVersion(registry, 'local', versionId)).toMatchObject({
        state: 'published',
        quarantine: [{ ruleId: rule.ruleId, reason: 'because' }],
      });
    }
    await assertDownloadable(registry, good.versionId);
    await expect(assertDownloadable(registry, draft.versionId)).rejects.toMatchObject({ code: 'version_not_found' });
    const page = await listQuarantine(registry, { repo: 'local', released: false, limit: 1, cursor: null });
    const rest = await listQuarantine(registry, { repo: 'local', released: false, limit: 1, cursor: page.nextCursor });
    expect([...page.quarantine, ...rest.quarantine]).toMatchObject([
      { versionId: bad.versionId, ruleId: rule.ruleId, why: 'generic:bad-1 matches generic:bad-*', releasedAt: null },
      { versionId: later.versionId },
    ]);
    expect(rest.nextCursor).toBeNull();

    const removed = await removeRule(registry, { repo: 'local', ruleId: rule.ruleId }, 'other');
    expect(removed).toMatchObject({ released: 2, rule: { removed: { by: 'other' } } });
    expect(await removeRule(registry, { repo: 'local', ruleId: rule.ruleId }, 'third')).toMatchObject({
      released: 0,
      rule: { removed: { by: 'other' } },
    });
    for (const { versionId } of [bad, later, good]) await assertDownloadable(registry, versionId);
    const record = { repo: 'local', limit: 50, cursor: null };
    expect((await listQuarantine(registry, { ...record, released: false })).quarantine).toEqual([]);
    expect((await listQuarantine(registry, { ...record, released: true })).quarantine).toHaveLength(2);
    const actions = await audited(registry);
    expect(actions.filter((action) => action.startsWith('policy') || /quarantined|released/.test(action))).toEqual([
      'policy.rule.made',
      'package.version.quarantined',
      'package.version.quarantined',
      'policy.rule.removed',
      'package.version.released',
      'package.version.released',
    ]);
  });

  test('G22 a version is held back as long as any rule hits it; one that is tombstoned is gone anyway', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    const { versionId } = await published(registry, 'tool');
    const byName = await makeRule(registry, { repo: 'local', rule: named('*', 'download') }, 'admin');
    const digests = [digestOf('#!/bin/sh\n')];
    const byDigest = await makeRule(
      registry,
      { repo: null, rule: ruleOf({ kind: 'digest', parameters: { digests }, blocks: 'both' }) },
      'admin',
    );
    expect(byDigest.quarantined).toBe(1);
    await removeRule(registry, { repo: 'local', ruleId: byName.rule.ruleId }, 'admin');
    await expect(assertDownloadable(registry, versionId)).rejects.toMatchObject({
      code: 'version_quarantined',
      details: { rules: [{ rule: byDigest.rule.ruleId, why: `bin/tool is ${digests[0]}` }] },
    });
    await tombstoneVersion(registry, { repo: 'local', versionId, reason: 'bad' }, 'admin');
    await expect(assertDownloadable(registry, versionId)).rejects.toMatchObject({ code: 'version_tombstoned' });
    expect(await removeRule(registry, { repo: null, ruleId: byDigest.rule.ruleId }, 'admin')).toMatchObject({
      released: 1,
    });
  });

  test('G22 publishes while a rule is made: each is refused, or held back; none slips through', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry, world } = opened;
    const elsewhere: Registry = { ...registry, store: (await world.start()).engine.store };
    const drafts = [];
    for (let index = 0; index < 16; index++) drafts.push(await arrangeDraft(registry, { name: `tool-${index}` }));
    const making = Promise.all([
      makeRule(elsewhere, { repo: 'local', rule: named('generic:tool-*', 'download') }, 'admin'),
      ...drafts.map((draft) => publishVersion(registry, draft, 'publisher')),
    ]);
    const [{ quarantined }] = await making;
    expect(quarantined).toBeLessThanOrEqual(drafts.length);
    const held = await listQuarantine(registry, { repo: 'local', released: false, limit: 200, cursor: null });
    expect(held.quarantine.map(({ versionId }) => versionId).toSorted()).toEqual(
      drafts.map(({ versionId }) => versionId).toSorted(),
    );
  });

  test('G22 what is held back is not to be had by its digest either, unless something else that may be read has it', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    const blob = digestOf('#!/bin/sh\n');
    const held = await published(registry, 'held');
    await findBlob(registry, 'local', blob);
    const { rule } = await makeRule(registry, { repo: 'local', rule: named('generic:held', 'download') }, 'admin');
    await expect(findBlob(registry, 'local', blob)).rejects.toMatchObject({
      code: 'version_quarantined',
      details: { rules: [{ version: held.versionId, rule: rule.ruleId }] },
    });
    const other = await arrangeDraft(registry, { name: 'other' });
    await expect(findBlob(registry, 'local', blob)).rejects.toMatchObject({ code: 'version_quarantined' });
    await publishVersion(registry, other, 'publisher');
    await findBlob(registry, 'local', blob);
    await tombstoneVersion(registry, { ...other, reason: 'x' }, 'admin');
    await expect(findBlob(registry, 'local', blob)).rejects.toMatchObject({ code: 'version_quarantined' });
    // What is withdrawn while it is held back does not become readable by that.
    await tombstoneVersion(registry, { ...held, reason: 'x' }, 'admin');
    await expect(findBlob(registry, 'local', blob)).rejects.toMatchObject({ code: 'version_quarantined' });
    await removeRule(registry, { repo: 'local', ruleId: rule.ruleId }, 'admin');
    await findBlob(registry, 'local', blob);
  });

  test('G22 whether a checkout was clean is read from the ledger of the run; what is not known counts as dirty', async () => {
    const box: { dirty: boolean | null } = { dirty: false };
    const unknown = { known: false, reason: 'not a checkout' } as const;
    const facts = async () => ({
      name: unknown,
      remote: unknown,
      commit: unknown,
      branch: unknown,
      dirty: box.dirty === null ? unknown : ({ known: true, value: box.dirty } as const),
      readAt: 0,
    });
    await using opened = await openTestRegistry({ ...(await open()), checkout: { facts } });
    const { registry, process } = opened;
    const drafts = [];
    for (const [name, dirty] of [
      ['clean', false],
      ['dirty', true],
      ['unknown', null],
    ] as const) {
      box.dirty = dirty;
      const run = await openLiveRun(process);
      await run.finish();
      drafts.push(await arrangeDraft(registry, { name, run: run.runId }));
    }
    drafts.push(await arrangeDraft(registry, { name: 'no-run' }));
    const publishing = await makeRule(
      registry,
      { repo: null, rule: ruleOf({ kind: 'dirty', blocks: 'publish' }) },
      'me',
    );
    const refused = await Promise.allSettled(drafts.map((draft) => publishVersion(registry, draft, 'me')));
    expect(refused.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'rejected']);
    await removeRule(registry, { repo: null, ruleId: publishing.rule.ruleId }, 'me');
    for (const draft of drafts) await publishVersion(registry, draft, 'me');
    const holding = await makeRule(registry, { repo: null, rule: ruleOf({ kind: 'dirty', blocks: 'download' }) }, 'me');
    expect(holding.quarantined).toBe(3);
    const noRun = ruleOf({ kind: 'no-run', blocks: 'download' });
    expect(await makeRule(registry, { repo: 'local', rule: noRun }, 'me')).toMatchObject({ quarantined: 1 });
  });

  test('G22 versions are tombstoned while a rule is made: what is gone is not held back, and the rule stands', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry, world } = opened;
    const elsewhere: Registry = { ...registry, store: (await world.start()).engine.store };
    const all = [];
    for (let index = 0; index < 8; index++) all.push(await published(registry, `tool-${index}`));
    const [made] = await Promise.all([
      makeRule(elsewhere, { repo: 'local', rule: named('generic:tool-*', 'download') }, 'admin'),
      ...all.slice(0, 5).map((each) => tombstoneVersion(registry, { ...each, reason: 'bad' }, 'admin')),
    ]);
    const held = await listQuarantine(registry, { repo: 'local', released: false, limit: 200, cursor: null });
    expect(held.quarantine).toHaveLength(made.quarantined);
    expect(held.quarantine.map(({ versionId }) => versionId)).toEqual(
      expect.arrayContaining(all.slice(5).map(({ versionId }) => versionId)),
    );
  });

  test('G22 rules are listed with those of every repo, found again when made twice, and end with their repo', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    await makeRepo(registry, { key: 'team', description: '' }, 'admin');
    const first = await makeRule(registry, { repo: 'team', rule: named('a', 'both') }, 'admin');
    const again = await makeRule(registry, { repo: 'team', rule: { ...named('a', 'both'), reason: 'other' } }, 'me');
    expect(again).toEqual({ created: false, rule: first.rule, quarantined: 0 });
    const everywhere = await makeRule(registry, { repo: null, rule: named('a', 'both') }, 'admin');
    await makeRule(registry, { repo: 'local', rule: named('a', 'both') }, 'admin');
    const ids = async (repo: string | null, removed = false) => {
      const found: string[] = [];
      for (let cursor: string | null = null; ; ) {
        const page = await listRules(registry, { repo, removed, limit: 1, cursor });
        found.push(...page.rules.map(({ ruleId }) => ruleId));
        if (page.nextCursor === null) return found;
        cursor = page.nextCursor;
      }
    };
    expect(await ids('team')).toEqual([first.rule.ruleId, everywhere.rule.ruleId]);
    expect(await ids(null)).toEqual([everywhere.rule.ruleId]);
    const other = { repo: 'local', ruleId: first.rule.ruleId };
    await expect(removeRule(registry, other, 'admin')).rejects.toMatchObject({ code: 'policy_rule_not_found' });
    const recorded = (await audited(registry)).length;
    const noId = removeRule(registry, { repo: 'local', ruleId: `${'x'.repeat(5_000)}\0` }, 'admin');
    await expect(noId).rejects.toMatchObject({ code: 'policy_rule_not_found' });
    expect(await audited(registry)).toHaveLength(recorded);
    const global = { repo: 'team', ruleId: everywhere.rule.ruleId };
    await expect(removeRule(registry, global, 'admin')).rejects.toMatchObject({ code: 'policy_rule_not_found' });
    await expect(makeRule(registry, { repo: 'none', rule: named('a', 'both') }, 'admin')).rejects.toMatchObject({
      code: 'repo_not_found',
    });
    await deleteRepo(registry, { key: 'team' }, 'admin');
    await makeRepo(registry, { key: 'team', description: '' }, 'admin');
    expect(await ids('team')).toEqual([everywhere.rule.ruleId]);
    expect(await ids('team', true)).toEqual([first.rule.ruleId, everywhere.rule.ruleId]);
    expect((await audited(registry)).slice(-6)).toEqual([
      'policy.rule.made',
      'policy.rule.removed refused',
      'policy.rule.removed refused',
      'repo.deleted',
      'policy.rule.removed',
      'repo.made',
    ]);
  });

  test('G22 by SQL too a rule and a quarantine are only ended, and once', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    const { versionId } = await published(registry, 'tool');
    const draft = await arrangeDraft(registry, { name: 'draft' });
    const { rule } = await makeRule(registry, { repo: 'local', rule: named('*', 'download') }, 'admin');
    const { ruleId } = rule;
    const keeper = await makeRule(registry, { repo: 'local', rule: named('nothing', 'publish') }, 'admin');
    const rows = `SELECT 'local', '${draft.versionId}', '${ruleId}', 'x', 1, NULL`;
    const into = '(repo, version, rule, reason, at, released_at)';
    const attacks = [
      `UPDATE policy_rule SET parameters = '{}' WHERE id = '${ruleId}'`,
      `UPDATE policy_rule SET blocks = 'publish' WHERE id = '${ruleId}'`,
      `UPDATE policy_rule SET repo = NULL WHERE id = '${ruleId}'`,
      `UPDATE policy_rule SET id = 'rule_0' WHERE id = '${ruleId}'`,
      `DELETE FROM policy_rule WHERE id = '${ruleId}'`,
      `INSERT INTO policy_rule SELECT * FROM policy_rule WHERE id = '${ruleId}'`,
      `UPDATE quarantine SET released_at = 1 WHERE rule = '${ruleId}'`,
      `UPDATE quarantine SET version = '${draft.versionId}' WHERE rule = '${ruleId}'`,
      `DELETE FROM quarantine WHERE rule = '${ruleId}'`,
      `INSERT INTO quarantine ${into} ${rows}`,
      `INSERT INTO quarantine ${into} SELECT 'local', '${versionId}', '${ruleId}', 'again', 1, NULL`,
      `INSERT INTO quarantine ${into} SELECT 'local', '${versionId}', '${keeper.rule.ruleId}', 'x', 1, NULL`,
      'DELETE FROM policy_lock',
      'INSERT INTO policy_lock (id) VALUES (1)',
      'UPDATE policy_lock SET id = 1',
      ...(registry.store.engine === 'sqlite'
        ? [
            `INSERT OR REPLACE INTO policy_rule SELECT * FROM policy_rule WHERE id = '${ruleId}'`,
            `INSERT OR REPLACE INTO quarantine SELECT * FROM quarantine WHERE rule = '${ruleId}'`,
          ]
        : [
            `INSERT INTO policy_rule SELECT * FROM policy_rule WHERE id = '${ruleId}' ON CONFLICT (id) DO UPDATE SET kind = 'x'`,
          ]),
    ];
    const attack = (statement: string) => registry.store.write(({ db }) => sql.raw(statement).execute(db));
    for (const statement of attacks) {
      await expect(attack(statement), statement).rejects.toMatchObject({ code: 'store_immutable' });
    }
    await removeRule(registry, { repo: 'local', ruleId }, 'admin');
    for (const statement of [
      `UPDATE policy_rule SET removed_at = NULL, removed_by = NULL WHERE id = '${ruleId}'`,
      `UPDATE policy_rule SET removed_by = 'other' WHERE id = '${ruleId}'`,
      `UPDATE quarantine SET released_at = NULL WHERE rule = '${ruleId}'`,
      `UPDATE quarantine SET released_at = 2 WHERE rule = '${ruleId}'`,
    ]) {
      await expect(attack(statement), statement).rejects.toMatchObject({ code: 'store_immutable' });
    }
  });
});
