import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { probeContainment, waysToContain } from './containment.ts';
import { allWays } from './fixtures/ways.ts';

test('the probe finds a namespace wherever one can be made, and says which', async () => {
  const trial = 'unshare --pid --fork true || unshare --user --map-current-user --pid --fork true';
  const possible = process.platform === 'linux' && spawnSync('sh', ['-c', trial]).status === 0;
  const probed = await probeContainment();
  expect(probed.how).toBe(possible ? 'contained' : 'swept');
  expect(probed.means).toMatch(possible ? /^(user\+)?pid namespace(, mounted proc)?$/ : /^search by .* \(.+\)$/);
  expect(await probeContainment()).toBe(probed);
});

test('the last way is to sweep, which needs nothing', async () => {
  const ways = await allWays();
  expect(ways.at(-1)).toMatchObject({ how: 'swept', wrapper: [] });
  expect(ways.slice(0, -1).map(({ how }) => how)).toEqual(ways.slice(1).map(() => 'contained'));
});

test('WAYBILL_CONTAINMENT=swept is obeyed, any other value is refused', async () => {
  const script = `import { probeContainment } from ${JSON.stringify(join(import.meta.dirname, 'containment.ts'))};
    console.log((await probeContainment()).means);`;
  const env = { ...process.env, WAYBILL_CONTAINMENT: 'swept' };
  const out = execFileSync(process.execPath, ['--input-type=module', '-e', script], { env, encoding: 'utf8' });
  expect(out).toMatch(/asked for by WAYBILL_CONTAINMENT/);
  await expect(waysToContain('none').next()).rejects.toMatchObject({
    code: 'config_invalid',
    hint: expect.any(String),
  });
});
