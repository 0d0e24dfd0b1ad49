import { expect, test } from 'vitest';
import { createDraft } from '../domain/registry/drafts/create-draft.ts';
import { listDrafts } from '../domain/registry/drafts/list-drafts.ts';
import { openTestRegistry } from '../domain/registry/testing/open-test-registry.ts';
import { RegistrySweeper } from './registry-sweeper.ts';

const tool = { repo: 'local', type: 'generic', name: 'tool', version: '1.0.0' };

test('G8 a daemon sweeps expired drafts again and again, also after a sweep that failed', async () => {
  let ahead = 0;
  const clock = { now: () => Date.now() * 1000 + ahead };
  await using opened = await openTestRegistry({ clock, settings: { draftDays: 1 } });
  const { registry } = opened;
  const reported: unknown[] = [];
  const [waits, wakes] = [[] as number[], [] as (() => void)[]];
  const sleep = (milliseconds: number, signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      waits.push(milliseconds);
      wakes.push(resolve);
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  const asleep = (times: number) => expect.poll(() => waits.length).toBe(times);
  let broken = true;
  const read: typeof registry.store.read = (scope) => {
    if (broken) throw new Error('the store is away');
    return registry.store.read(scope);
  };
  const store = new Proxy(registry.store, {
    get: (target, name) => {
      if (name === 'read') return read;
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const sweeper = new RegistrySweeper({
    registry: { ...registry, store },
    report: async (error) => reported.push(error),
    sleep,
  });
  await createDraft(registry, tool, 'me');
  ahead += 2 * 86_400_000_000;
  sweeper.start();
  await asleep(1);
  wakes.at(-1)?.();
  await asleep(2);
  expect(reported).not.toEqual([]);
  expect((await listDrafts(registry, { repo: 'local', limit: 5 })).drafts).toHaveLength(1);
  broken = false;
  wakes.at(-1)?.();
  await asleep(3);
  expect((await listDrafts(registry, { repo: 'local', limit: 5 })).drafts).toEqual([]);
  await sweeper.close();
  expect(waits.every((each) => each >= 60_000)).toBe(true);
});
