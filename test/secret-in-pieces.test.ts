import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { makeWorkspace } from './support/workspace.ts';

vi.setConfig({ testTimeout: 60_000 });

const configuration = `import { defineConfig, defineWorkflow } from 'waybill';
const allowEnv = ['DEPLOY_TOKEN'];
const fill = (count: number, letter: string) => \`head -c \${count} /dev/zero | tr '\\\\0' \${letter}\`;
export default defineConfig({
  workflows: [
    defineWorkflow('pieces', { snapshot: 'none' }, async (run) => {
      const first = '\${DEPLOY_TOKEN%????????????????}', last = '\${DEPLOY_TOKEN#????????????????}';
      await run.exec(['bash', '-c', \`printf %s "\${first}"; sleep 0.2; echo "\${last}"\`], { name: 'slowly', allowEnv });
      await run.exec(['bash', '-c', \`\${fill(65_520, 'x')}; printf %s "$DEPLOY_TOKEN"; \${fill(200_000, 'y')}\`], { name: 'border', allowEnv });
      await run.exec(['bash', '-c', \`\${fill(200_000, 'x')}; printf %s "$DEPLOY_TOKEN"; \${fill(65_520, 'y')}\`], { name: 'end', allowEnv });
      return run.exec(['bash', '-c', \`echo "$DEPLOY_TOKEN \${'z'.repeat(490)}" >&2; exit 1\`], { name: 'fails', allowEnv }).catch(() => 'failed');
    }),
  ],
});
`;

test('R28 neither a secret nor a half of it is stored when it comes in pieces or stands where output is cut', async () => {
  const [left, right] = [randomBytes(8).toString('hex'), randomBytes(8).toString('hex')];
  await using workspace = await makeWorkspace({ configuration });
  const done = await workspace.waybill(['run', '--workflow', 'pieces'], { DEPLOY_TOKEN: left + right });
  expect(done.code, done.stderr).toBe(0);
  const stored = readdirSync(workspace.data, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  expect(stored.some((path) => path.endsWith('ledger.ndjson'))).toBe(true);
  for (const path of stored) {
    const bytes = readFileSync(path);
    expect(
      [left, right].filter((half) => bytes.includes(half)),
      path,
    ).toEqual([]);
  }
  expect(done.stderr).toContain('[redacted:known-secret]');
});
