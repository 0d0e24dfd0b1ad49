import { expect, test, vi } from 'vitest';
import { z } from 'zod';
import { startDaemon } from './support/daemon.ts';
import { makeWorkspace } from './support/workspace.ts';

vi.setConfig({ testTimeout: 120_000 });

const configuration = `import { defineConfig } from 'waybill';
export default defineConfig({ evidence: 'on-demand' });
`;
const versions = '/v1/repos/local/packages/versions';
const madeShape = z.object({ versionId: z.string() });

test('G8 a draft made over HTTP is listed, shown and deleted on the command line', async () => {
  await using workspace = await makeWorkspace({ configuration });
  const empty = await workspace.waybill(['drafts']);
  expect(empty).toMatchObject({ code: 0, stdout: 'No drafts in the repo local.\n' });
  const daemon = await startDaemon(workspace);
  const body = { type: 'generic', name: 'tool', version: '1.0.0' };
  const made = await daemon.ask('POST', `${versions}/drafts`, { body });
  expect(made.status).toBe(201);
  const { versionId } = madeShape.parse(made.body);

  const listed = await workspace.waybill(['drafts', '--json']);
  expect(JSON.parse(listed.stdout)).toMatchObject({
    drafts: [{ ...body, versionId, state: 'draft' }],
    nextCursor: null,
  });
  const printed = await workspace.waybill(['drafts', 'list']);
  expect(printed.stdout).toContain(`${versionId}  generic:tool@1.0.0`);
  const shown = await workspace.waybill(['drafts', 'show', versionId]);
  expect(shown.stdout).toContain('generic:tool@1.0.0\n');
  expect(shown.stdout).toContain('entries  0, 0 bytes');
  expect(shown.stdout).toContain('manifest none yet');

  const deleted = await workspace.waybill(['drafts', 'delete', versionId, '--json']);
  expect(JSON.parse(deleted.stdout)).toEqual({ versionId, repo: 'local', ...body });
  const again = await workspace.waybill(['drafts', 'delete', versionId, '--json']);
  expect(again.code).toBe(2);
  expect(JSON.parse(again.stdout)).toMatchObject({ error: { code: 'version_not_found' } });
  expect((await daemon.ask('GET', `${versions}/${versionId}`)).status).toBe(404);
  expect(await daemon.stop()).toMatchObject({ code: 0 });
});
