// Many followers of one run in a process of their own: `node bench/follow-many.ts URL TOKEN RUN COUNT`. Says `ready`
// when every follower has the ledger so far, and at the end how long each line of output took to arrive.
import { Agent, type IncomingMessage, request } from 'node:http';

const [url = '', token = '', runId = '', count = '1'] = process.argv.slice(2);
const { hostname, port } = new URL(url);
const agent = new Agent({ keepAlive: false, maxSockets: Number.POSITIVE_INFINITY });
const headers = { authorization: `Bearer ${token}`, accept: 'application/x-ndjson' };
const path = `/v1/runs/${runId}/events?follow=true`;

/** Milliseconds from the time in the event, which was written before its commit, to its arrival here. */
const delays: number[] = [];
const line = /"time":"([^"]+)".*"type":"(process\.output|run\.succeeded)"/;

/** The last six digits are microseconds, of which `Date.parse` keeps three. */
function microsOf(time: string): number {
  return Date.parse(`${time.slice(0, 23)}Z`) * 1000 + Number(time.slice(23, 26));
}

function open(): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  request({ hostname, port, path, headers, agent }, resolve).on('error', reject).end();
  return promise;
}

async function read(stream: IncomingMessage, begun: () => void): Promise<boolean> {
  if (stream.statusCode !== 200) throw new Error(`a follower was answered ${stream.statusCode}`);
  let rest = '';
  let ended = false;
  stream.setEncoding('utf8');
  for await (const text of stream) {
    const now = (performance.timeOrigin + performance.now()) * 1000;
    const lines = (rest + String(text)).split('\n');
    rest = lines.pop() ?? '';
    if (lines.length > 0) begun();
    for (const each of lines) {
      const [, time = '', type] = line.exec(each) ?? [];
      if (type === 'process.output') delays.push((now - microsOf(time)) / 1000);
      if (type === 'run.succeeded') ended = true;
    }
  }
  return ended;
}

let waiting = Number(count);
const ready = Promise.withResolvers<void>();
const followers = Array.from({ length: Number(count) }, async () => {
  let first = true;
  const begun = () => {
    if (first) waiting -= 1;
    first = false;
    if (waiting === 0) ready.resolve();
  };
  return read(await open(), begun);
});
const all = Promise.all(followers);
await Promise.race([ready.promise, all]);
console.log('ready');
const ended = (await all).filter(Boolean).length;
delays.sort((a, b) => a - b);
const at = (share: number) => delays[Math.min(delays.length - 1, Math.floor(delays.length * share))];
console.log(JSON.stringify({ ended, received: delays.length, p50: at(0.5), p99: at(0.99), worst: delays.at(-1) }));
