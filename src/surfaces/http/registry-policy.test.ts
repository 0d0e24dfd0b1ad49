import { afterAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { bothStores, dropDatabases } from '../../../test/support/both-stores.ts';
import { versionSchema } from '../../contract/api/packages.ts';
import {
  madeRuleSchema,
  type NewRule,
  quarantineListSchema,
  removedRuleSchema,
  ruleListSchema,
} from '../../contract/api/policy.ts';
import { repoListSchema } from '../../contract/api/repos.ts';
import { arrangeDraft } from '../../domain/registry/testing/arrange-draft.ts';
import { openTestServer, type TestServer } from './testing/open-test-server.ts';

afterAll(dropDatabases);

const rules = '/v1/repos/local/rules';
const byName = (pattern: string, blocks: NewRule['blocks']): NewRule => ({
  kind: 'name',
  parameters: { pattern },
  blocks,
  reason: 'because',
});

describe.each(bothStores)('rules over HTTP on %s', (_, where) => {
  const open = async () => await openTestServer(await where());

  test('G22 a rule refuses publish and download with 403, its name and why; nothing else does', async () => {
    await using server = await open();
    const { registry } = server.parts;
    const draft = await arrangeDraft(registry, { name: 'tool' });
    const made = await server.ask('POST', rules, { as: 'admin', body: byName('generic:tool', 'both') });
    expect(made.status, made.text).toBe(201);
    const { rule } = madeRuleSchema.parse(made.json);
    expect(rule).toMatchObject({ repo: 'local', kind: 'name', blocks: 'both', removedAt: null });
    const again = await server.ask('POST', rules, { as: 'admin', body: byName('generic:tool', 'both') });
    expect([again.status, madeRuleSchema.parse(again.json).rule]).toEqual([200, rule]);
    const publish = `/v1/repos/local/packages/versions/${draft.versionId}/publish`;
    const refused = await server.ask('POST', publish, { as: 'admin' });
    expect(refused).toMatchObject({ status: 403, json: { code: 'policy_refused' } });
    for (const word of [rule.ruleId, 'because', 'generic:tool matches generic:tool']) {
      expect(refused.text).toContain(word);
    }
    const removed = await server.ask('DELETE', `${rules}/${rule.ruleId}`, { as: 'admin' });
    expect(removedRuleSchema.parse(removed.json)).toMatchObject({
      released: 0,
      rule: { removedAt: expect.any(String) },
    });
    expect((await server.ask('POST', publish, { as: 'admin' })).status).toBe(200);

    const file = '/v1/repos/local/packages/generic/tool/versions/1.0.0/files/bin/tool';
    expect((await server.ask('GET', file, { as: 'admin' })).status).toBe(200);
    const held = await server.ask('POST', '/v1/rules', { as: 'admin', body: byName('*', 'download') });
    const made2 = madeRuleSchema.parse(held.json);
    expect(made2).toMatchObject({ rule: { repo: null }, quarantined: 1 });
    const download = await server.ask('GET', file, { as: 'admin' });
    expect(download).toMatchObject({ status: 403, json: { code: 'version_quarantined' } });
    expect(download.text).toContain(made2.rule.ruleId);
    const version = await server.ask('GET', `/v1/repos/local/packages/versions/${draft.versionId}`, { as: 'admin' });
    expect(versionSchema.parse(version.json).quarantine).toMatchObject([{ ruleId: made2.rule.ruleId }]);
    const [entry] = await registry.store.read(({ db }) => db.selectFrom('version_entry').select('digest').execute());
    const blob = await server.ask('GET', `/v1/repos/local/blobs/${entry?.digest}`, { as: 'admin' });
    expect(blob).toMatchObject({ status: 403, json: { code: 'version_quarantined' } });
    const list = await server.ask('GET', '/v1/repos/local/quarantine', { as: 'admin' });
    expect(quarantineListSchema.parse(list.json).quarantine).toMatchObject([
      { versionId: draft.versionId, type: 'generic', name: 'tool', version: '1.0.0', releasedAt: null },
    ]);
    expect((await server.ask('DELETE', `${rules}/${made2.rule.ruleId}`, { as: 'admin' })).status).toBe(404);
    expect((await server.ask('DELETE', `/v1/rules/${made2.rule.ruleId}`, { as: 'admin' })).status).toBe(200);
    expect((await server.ask('GET', file, { as: 'admin' })).status).toBe(200);
    const all = await server.ask('GET', `${rules}?removed=true`, { as: 'admin' });
    expect(ruleListSchema.parse(all.json).rules.map(({ ruleId }) => ruleId)).toEqual([rule.ruleId, made2.rule.ruleId]);
    expect(ruleListSchema.parse((await server.ask('GET', rules, { as: 'admin' })).json).rules).toEqual([]);
    expect(ruleListSchema.parse((await server.ask('GET', '/v1/rules', { as: 'auditor' })).json).rules).toEqual([]);
  });

  test('G22 what is wrong with a rule is said, each with its path; a publisher makes and removes none', async () => {
    await using server = await open();
    const wrong: readonly (readonly [object, readonly string[]])[] = [
      [{}, ['body.kind']],
      [{ kind: 'mood', blocks: 'both', reason: 'x' }, ['body.kind']],
      [
        { kind: 'name', parameters: {}, blocks: 'all', reason: '' },
        ['body.parameters.pattern', 'body.blocks', 'body.reason'],
      ],
      [{ kind: 'digest', parameters: { digests: ['x'] }, blocks: 'both', reason: 'x' }, ['body.parameters.digests[0]']],
      [
        { kind: 'size', parameters: { bytes: -1, of: 'all' }, blocks: 'both', reason: 'x' },
        ['body.parameters.bytes', 'body.parameters.of'],
      ],
      [{ kind: 'dirty', parameters: { not: 1 }, blocks: 'both', reason: 'x' }, ['body.parameters.not']],
      [{ kind: 'dirty', blocks: 'both', reason: 'x', versionId: 'ver_0123456789abcdef' }, ['body.versionId']],
    ];
    for (const [body, paths] of wrong) {
      const answer = await server.ask('POST', rules, { as: 'admin', body });
      expect([body, answer.status]).toEqual([body, 400]);
      const { issues } = z.object({ issues: z.array(z.object({ path: z.string() })) }).parse(answer.json);
      expect(issues.map(({ path }) => path)).toEqual(paths);
    }
    const rule = { kind: 'unattested', blocks: 'publish', reason: 'x' };
    const made = madeRuleSchema.parse((await server.ask('POST', rules, { as: 'repo-admin', body: rule })).json);
    for (const as of ['repo-read', 'repo-write', 'repo-publish', 'auditor'] as const) {
      expect((await server.ask('POST', rules, { as, body: rule })).status).toBe(403);
      expect((await server.ask('DELETE', `${rules}/${made.rule.ruleId}`, { as })).status).toBe(403);
      expect((await server.ask('GET', rules, { as })).status).toBe(200);
    }
    for (const as of ['repo-admin', 'operator'] as const) {
      expect((await server.ask('POST', '/v1/rules', { as, body: rule })).status).toBe(403);
    }
  });

  test('G28 whoever has a grant in one repo sees that one only', async () => {
    await using server = await open();
    await server.ask('POST', '/v1/repos', { as: 'admin', body: { key: 'other' } });
    const keys = async (as: NonNullable<Parameters<TestServer['ask']>[2]>['as']) => {
      const answer = await server.ask('GET', '/v1/repos', as === undefined ? {} : { as });
      return repoListSchema.parse(answer.json).repos.map(({ key }) => key);
    };
    expect(await keys('admin')).toEqual(['local', 'other']);
    expect(await keys('auditor')).toEqual(['local', 'other']);
    expect(await keys('repo-read')).toEqual(['local']);
    expect(await keys('runner')).toEqual([]);
    expect((await server.ask('GET', '/v1/repos/other', { as: 'repo-read' })).status).toBe(404);
    expect((await server.ask('POST', '/v1/repos', { as: 'repo-admin', body: { key: 'mine' } })).status).toBe(403);
    expect((await server.ask('DELETE', '/v1/repos/other', { as: 'repo-admin' })).status).toBe(404);
  });
});
