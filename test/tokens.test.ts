import { describe, expect, test } from 'vitest';
import { madeTokenSchema, tokenListSchema } from '../src/contract/api/tokens.ts';
import { startDaemon } from './support/daemon.ts';
import { engines, openDaemonStore, storeSettings } from './support/daemon-store.ts';
import { makeWorkspace } from './support/workspace.ts';

const configuration = `import { defineConfig } from 'waybill';
export default defineConfig({ ${storeSettings} });
`;

describe.each(engines)('tokens of the real program on %s', (engine) => {
  test('G21 the first admin is made by a command on this machine, and by nothing else', async () => {
    await using store = await openDaemonStore(engine);
    await using workspace = await makeWorkspace({ configuration, env: store.env });
    const tokens = async (...args: string[]) => {
      const ended = await workspace.waybill(['tokens', ...args, '--json']);
      expect(ended, ended.stderr).toMatchObject({ code: 0 });
      return ended.stdout;
    };
    // A new store has nobody's token: whoever holds none can make none over HTTP, whatever the daemon was asked before.
    expect(tokenListSchema.parse(JSON.parse(await tokens('list'))).tokens).toEqual([]);
    const boss = madeTokenSchema.parse(JSON.parse(await tokens('make', 'boss', '--role', 'admin')));
    const daemon = await startDaemon(workspace);
    const body = { name: 'ci', repos: [{ repo: 'local', role: 'publish' }] };
    for (const token of [null, `wb_${'A'.repeat(43)}`]) {
      expect((await daemon.ask('POST', '/v1/tokens', { body, token })).status).toBe(401);
    }
    const answer = await daemon.ask('POST', '/v1/tokens', { body, token: boss.token });
    expect(answer.status, answer.text).toBe(201);
    const ci = madeTokenSchema.parse(answer.body);
    expect((await daemon.ask('GET', '/v1/runs', { token: ci.token })).status).toBe(403);
    // In another process, with no daemon asked: it counts in the daemon from the next request on.
    await tokens('grant', ci.id, '--role', 'runner', '--no-daemon');
    expect((await daemon.ask('GET', '/v1/runs', { token: ci.token })).status).toBe(200);
    await tokens('revoke', ci.id, '--no-daemon');
    expect((await daemon.ask('GET', '/v1/runs', { token: ci.token })).status).toBe(401);

    const used = await store.rows(workspace, 'SELECT token FROM api_token_use');
    expect(used).toEqual([]);
    expect(await daemon.stop()).toMatchObject({ code: 0 });
    const listed = tokenListSchema.parse(JSON.parse(await tokens('list'))).tokens;
    const local = `local:${process.getuid?.()}`;
    expect(listed.map(({ actor, role, lastUsedAt }) => [actor, role, lastUsedAt !== null])).toEqual([
      ['token:boss', 'admin', true],
      [local, 'admin', false],
      ['token:ci', 'runner', true],
    ]);
    const audited = await store.rows(
      workspace,
      "SELECT actor, action, resource FROM audit WHERE action IN ('token.issued', 'token.revoked', 'role.changed') ORDER BY id",
    );
    expect(audited.map(({ actor, action }) => `${actor} ${action}`)).toEqual([
      `${local} token.issued`,
      `${local} token.issued`,
      'token:boss token.issued',
      `${local} role.changed`,
      `${local} token.revoked`,
    ]);
  });
});
