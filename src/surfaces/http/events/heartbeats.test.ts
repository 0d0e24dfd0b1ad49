import { expect, test, vi } from 'vitest';
import { openTestWorld } from '../../../domain/runs/testing/engine.ts';
import { openLiveRun } from '../../../domain/runs/testing/live-run.ts';
import { until } from '../../../domain/runs/testing/look.ts';
import { ask, parseLines, parseServerSent } from './fixtures/event-client.ts';
import { openEventsServer } from './fixtures/events-server.ts';
import { Heartbeats } from './heartbeats.ts';

test('D14 a quiet stream gives a sign of life that is no event, a comment or an empty line, and a read gives none', async () => {
  await using world = await openTestWorld();
  const process = await world.start();
  await using server = await openEventsServer(process.engine.store, { heartbeatMs: 30 });
  const live = await openLiveRun(process);
  const url = `${server.url}/v1/runs/${live.runId}/events?follow=true`;
  const [plain, sent] = await Promise.all([ask(url), ask(url, { headers: { accept: 'text/event-stream' } })]);
  await until(async () => plain.text().split('\n\n').length > 2 && sent.text().split(': heartbeat\n\n').length > 3);
  await live.finish();
  expect(parseLines(await plain.ended)).toHaveLength(2);
  expect(parseServerSent(await sent.ended).map(({ data }) => data)).toEqual(parseLines(plain.text()));
  const read = await ask(url.replace('follow=true', 'follow=false'));
  expect(await read.ended).not.toContain('\n\n');
});

test('streams share one timer, which there is only while there is a stream', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  try {
    const heartbeats = new Heartbeats(20);
    let beats = 0;
    const streams = Array.from({ length: 200 }, () => ({ beat: () => void beats++ }));
    for (const stream of streams) heartbeats.add(stream);
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(10);
    await until(async () => beats === 200);
    for (const stream of streams) heartbeats.delete(stream);
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});
