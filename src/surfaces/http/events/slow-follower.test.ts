import { expect, test } from 'vitest';
import { openTestWorld } from '../../../domain/runs/testing/engine.ts';
import { openLiveRun } from '../../../domain/runs/testing/live-run.ts';
import { until } from '../../../domain/runs/testing/look.ts';
import { ask, parseLines } from './fixtures/event-client.ts';
import { openEventsServer } from './fixtures/events-server.ts';

const mebibyte = 1_048_576;

test('D14 for a client that does not read nothing piles up while 100 MB of events pass, and afterwards it gets them all', async () => {
  await using world = await openTestWorld();
  const process = await world.start();
  await using server = await openEventsServer(process.engine.store, { heartbeatMs: 20 });
  const live = await openLiveRun(process);
  const url = `${server.url}/v1/runs/${live.runId}/events?follow=true`;
  const slow = await ask(url, { read: false });
  await until(async () => server.counts().followers === 1);
  const quick = await ask(url, { read: false });
  let passed = 0;
  quick.response.on('data', (chunk: Buffer) => {
    passed += chunk.length;
  });
  const text = 'x'.repeat(60_000);
  let most = 0;
  for (let count = 0; count < 100; count++) {
    await live.say(...Array.from({ length: 18 }, () => text));
    const here = live.head;
    await until(async () => passed > here * 60_000 - 60_000);
    most = Math.max(most, server.buffered());
  }
  expect(passed).toBeGreaterThan(100 * mebibyte);
  // One that does not read and one that does, each at most a page and what its socket takes.
  expect(most).toBeLessThan(2 * 300_000);
  expect(most).toBeGreaterThan(0);
  await live.finish();
  let rest = '';
  let seen = 0;
  for await (const chunk of slow.response.setEncoding('utf8')) {
    const lines = `${rest}${chunk}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines.filter((each) => each !== '')) {
      expect(/"seq":(\d+),/.exec(line)?.[1]).toBe(String(++seen));
    }
  }
  expect(seen).toBe(live.head);
  await until(async () => server.counts().followers === 0);
}, 180_000);

test('D14 a client that does not read is let go at its deadline and when the server drains', async () => {
  await using world = await openTestWorld();
  const process = await world.start();
  await using server = await openEventsServer(process.engine.store);
  const live = await openLiveRun(process);
  for (let count = 0; count < 20; count++) await live.say(...Array.from({ length: 18 }, () => 'x'.repeat(60_000)));
  const url = `${server.url}/v1/runs/${live.runId}/events?follow=true`;
  const late = await ask(`${url}&timeoutMs=500`, { read: false });
  const stuck = await ask(url, { read: false });
  await until(async () => server.counts().followers === 1);
  expect(server.buffered()).toBeGreaterThan(0);
  server.drain();
  await until(async () => server.counts().followers === 0);
  expect(server.counts()).toEqual({ followers: 0, runs: 0 });
  for (const { response, why } of [
    { response: late.response, why: 'deadline' },
    { response: stuck.response, why: 'drain' },
  ]) {
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) text += chunk;
    const lines = parseLines(text);
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ why, cursor: lines.length - 1 });
  }
}, 60_000);
