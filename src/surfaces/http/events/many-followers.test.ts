import { performance } from 'node:perf_hooks';
import { expect, test } from 'vitest';
import { openTestWorld } from '../../../domain/runs/testing/engine.ts';
import { openLiveRun } from '../../../domain/runs/testing/live-run.ts';
import { until } from '../../../domain/runs/testing/look.ts';
import { ask, type OpenAnswer, parseLines } from './fixtures/event-client.ts';
import { openEventsServer } from './fixtures/events-server.ts';

const followers = 1_000;

test('D12 a thousand followers of a live run all get all of it, the same bytes, and /healthz answers meanwhile', async () => {
  await using world = await openTestWorld();
  const process = await world.start();
  await using server = await openEventsServer(process.engine.store);
  const live = await openLiveRun(process);
  await live.say('before anyone followed');
  const url = `${server.url}/v1/runs/${live.runId}/events?follow=true`;
  const answers: OpenAnswer[] = [];
  while (answers.length < followers) {
    answers.push(...(await Promise.all(Array.from({ length: 100 }, () => ask(url)))));
  }
  expect(server.counts()).toEqual({ followers, runs: 1 });
  let healthy = 0;
  let talking = true;
  const health = (async () => {
    while (talking) {
      const asked = performance.now();
      const answer = await fetch(`${server.url}/healthz`);
      expect(answer.status).toBe(200);
      await answer.arrayBuffer();
      // Far above what it takes: how long exactly is measured in the benchmark.
      expect(performance.now() - asked).toBeLessThan(5_000);
      healthy++;
    }
  })();
  for (let count = 0; count < 20; count++) await live.say(`event ${count}`);
  await live.finish();
  const texts = await Promise.all(answers.map(({ ended }) => ended));
  talking = false;
  await health;
  expect(healthy).toBeGreaterThan(0);
  expect(new Set(texts).size).toBe(1);
  expect(parseLines(texts[0] ?? '')).toHaveLength(live.head);
  await until(async () => server.counts().followers === 0);
  expect(server.counts().runs).toBe(0);
}, 120_000);

test('D14 clients torn away in the middle of what is sent leave nothing behind, and nobody else loses anything', async () => {
  await using world = await openTestWorld();
  const process = await world.start();
  await using server = await openEventsServer(process.engine.store, { heartbeatMs: 4 });
  const live = await openLiveRun(process);
  const url = `${server.url}/v1/runs/${live.runId}/events?follow=true`;
  const stays = await ask(url);
  let talking = true;
  const talk = (async () => {
    while (talking) await live.say('x'.repeat(20_000), 'y'.repeat(40_000));
    await live.finish();
  })();
  let torn = 0;
  for (let round = 0; round < 10; round++) {
    const clients = await Promise.all(Array.from({ length: 10 }, (_, index) => ask(url, { read: index % 2 === 0 })));
    await new Promise((resolve) => setTimeout(resolve, round));
    for (const { response } of clients) {
      response.socket.resetAndDestroy();
      torn++;
    }
  }
  talking = false;
  await talk;
  expect(parseLines(await stays.ended)).toHaveLength(live.head);
  await until(async () => server.counts().followers === 0 && server.measurements.streams === 0);
  expect(torn).toBe(100);
  expect(server.failures).toEqual([]);
}, 60_000);
