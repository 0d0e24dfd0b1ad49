import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { LedgerEvent } from '../../contract/evidence.ts';
import { type ClientOptions, createClient } from './client.ts';
import {
  type Asked,
  ledger,
  lines,
  problem,
  runDetail,
  runId,
  type ScriptedDaemon,
  scriptedDaemon,
  streamEnd,
} from './fixtures/scripted-daemon.ts';
import type { FollowEnd, FollowOptions } from './follow.ts';

const quick = { backoff: { firstMs: 1, mostMs: 4 }, silenceMs: 2_000 } satisfies ClientOptions;

async function followed(daemon: Pick<ScriptedDaemon, 'url'>, options: FollowOptions = {}, more: ClientOptions = {}) {
  const events: LedgerEvent[] = [];
  const following = createClient(daemon, { ...quick, ...more }).follow(runId, options);
  let end: FollowEnd | undefined;
  for (;;) {
    const next = await following.next();
    if (next.done === true) {
      end = next.value;
      break;
    }
    events.push(next.value);
  }
  return { seqs: events.map(({ seq }) => seq), events, end };
}

/** One thing a bad connection does, before the next one is tried. */
type Trouble =
  | { readonly kind: 'cut' | 'destroy'; readonly at: number }
  | { readonly kind: 'drain' | 'end' | 'failing'; readonly after: number }
  | { readonly kind: 'status'; readonly status: 500 | 502 | 503 }
  | { readonly kind: 'refuse' }
  | { readonly kind: 'silent'; readonly after: number };

const after = fc.nat({ max: 6 });
const trouble: fc.Arbitrary<Trouble> = fc.oneof(
  fc.record({ kind: fc.constantFrom('cut', 'destroy'), at: fc.nat({ max: 1_500 }) }),
  fc.record({ kind: fc.constantFrom('drain', 'end', 'failing'), after }),
  fc.record({ kind: fc.constant('status'), status: fc.constantFrom(500, 502, 503) }),
  fc.record({ kind: fc.constant('refuse') }),
  fc.record({ kind: fc.constant('silent'), after }),
);

function suffer(asked: Asked, events: readonly LedgerEvent[], what: Trouble): void {
  const { response } = asked;
  switch (what.kind) {
    case 'refuse':
      response.destroy();
      return;
    case 'status':
      if (what.status === 500) asked.json(500, problem(500, 'internal'), 'application/problem+json');
      else response.writeHead(what.status, { 'content-type': 'text/html' }).end('<h1>away</h1>');
      return;
    case 'cut':
    case 'destroy': {
      asked.begin();
      const bytes = Buffer.from(lines(events)).subarray(0, what.at);
      // Cut as a proxy does it, which looks like an end in order, or as a crash does it.
      response.write(bytes, () => (what.kind === 'cut' ? response.end() : response.destroy()));
      return;
    }
    case 'drain':
    case 'failing': {
      asked.begin();
      const sent = events.slice(0, what.after);
      const end =
        what.kind === 'drain'
          ? streamEnd('drain', sent.at(-1)?.seq ?? 0)
          : streamEnd('error', sent.at(-1)?.seq ?? 0, 'store_busy');
      const finished = sent.length === events.length;
      response.end(lines(finished ? sent : [...sent, end]));
      return;
    }
    case 'end':
      asked.begin();
      response.end(lines(events.slice(0, what.after)));
      return;
    case 'silent':
      asked.begin();
      response.write(lines(events.slice(0, what.after)));
      return;
    default:
      what satisfies never;
  }
}

/** Sends in pieces that respect neither lines nor characters, with heartbeats between the lines. */
function healthy({ response, begin }: Asked, events: readonly LedgerEvent[], piece: number): void {
  begin();
  const bytes = Buffer.from(`\n${lines(events).replaceAll('\n', '\n\n')}`);
  for (let at = 0; at < bytes.length; at += piece) response.write(bytes.subarray(at, at + piece));
  response.end();
}

test('D14 whatever the connections do, every event comes once and in order until the terminal one', async () => {
  let suffered = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(trouble, { maxLength: 4 }),
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 1, max: 300 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      async (troubles, length, piece, part) => {
        const all = ledger(length, 'grüße, 世界');
        const since = Math.floor(part * (length - 1));
        let connection = 0;
        await using daemon = await scriptedDaemon((asked) => {
          if (!asked.url.pathname.endsWith('/events')) return asked.json(200, runDetail(null));
          const events = all.filter(({ seq }) => seq > Number(asked.url.searchParams.get('since')));
          const what = troubles[connection];
          connection += 1;
          if (what === undefined) return healthy(asked, events, piece);
          suffered += 1;
          return suffer(asked, events, what);
        });
        const { seqs, end } = await followed(daemon, { since }, { silenceMs: 60 });
        expect(seqs).toEqual(Array.from({ length: length - since }, (_, index) => since + index + 1));
        expect(end).toEqual({ why: 'terminal', cursor: length });
      },
    ),
    { numRuns: 60 },
  );
  expect(suffered).toBeGreaterThan(30);
}, 60_000);

const all = ledger(6);

/** A daemon whose events route does this, and whose run is `detail`. */
function eventsOnly(events: (asked: Asked, connection: number) => void, detail = runDetail(null)) {
  let connection = 0;
  return scriptedDaemon((asked) => {
    if (!asked.url.pathname.endsWith('/events')) return asked.json(200, detail);
    connection += 1;
    return events(asked, connection - 1);
  });
}

test.each([
  ['a gap', [...all.slice(0, 2), ...all.slice(3)], 2],
  ['a repeat', [...all.slice(0, 3), ...all.slice(2)], 3],
  ['an event of another run', [...all.slice(0, 2), { ...all[2], runId: 'run-20261123-003000-ffffffff' }], 2],
  ['an event that continues another', [...all.slice(0, 2), { ...all[2], previous: `sha256:${'f'.repeat(64)}` }], 2],
])('%s in the stream is told, and nothing after it is given', async (_, sent, good) => {
  await using daemon = await eventsOnly(({ begin, response }) => {
    begin();
    response.end(lines(sent));
  });
  const got: number[] = [];
  const reading = (async () => {
    for await (const { seq } of createClient(daemon, quick).follow(runId)) got.push(seq);
  })();
  await expect(reading).rejects.toMatchObject({ code: 'stream_broken', details: { cursor: good } });
  expect(got).toEqual(all.slice(0, good).map(({ seq }) => seq));
  expect(daemon.asked).toHaveLength(1);
});

test('a line that is none of ours is told, not skipped', async () => {
  await using daemon = await eventsOnly(({ begin, response }) => {
    begin();
    response.end(`${lines(all.slice(0, 1))}{"hello": "world"}\n`);
  });
  await expect(followed(daemon)).rejects.toMatchObject({ code: 'response_invalid' });
});

test('an event of a newer daemon may say more', async () => {
  await using daemon = await eventsOnly(({ begin, response }) => {
    begin();
    response.end(lines(all.map((event) => ({ ...event, importance: 3 }))));
  });
  expect((await followed(daemon)).end).toEqual({ why: 'terminal', cursor: 6 });
});

test('an event of several megabytes arrives whole', async () => {
  const large = ledger(2, 'é'.repeat(3_000_000));
  await using daemon = await eventsOnly(({ begin, response }) => {
    begin();
    response.end(lines(large));
  });
  const { events } = await followed(daemon);
  expect(events).toEqual(large);
});

test.each([
  [404, 'run_not_found'],
  [401, 'unauthorized'],
  [410, 'run_removed'],
  [400, 'invalid_input'],
] as const)('what the daemon refuses with %i is thrown at once and not asked again', async (status, code) => {
  await using daemon = await eventsOnly(({ json }) => json(status, problem(status, code), 'application/problem+json'));
  await expect(followed(daemon)).rejects.toMatchObject({ code, details: { status } });
  expect(daemon.asked).toHaveLength(1);
});

test('a daemon that fails of its own fault again and again is not asked for ever', async () => {
  await using daemon = await eventsOnly(({ json }) =>
    json(500, problem(500, 'store_corrupt'), 'application/problem+json'),
  );
  await expect(followed(daemon)).rejects.toMatchObject({ code: 'store_corrupt' });
  expect(daemon.asked).toHaveLength(5);
});

test('a run that was finished and known before ends at once', async () => {
  await using daemon = await eventsOnly(({ begin, response }) => {
    begin();
    response.end();
  }, runDetail(6));
  expect(await followed(daemon, { since: 6 })).toMatchObject({ seqs: [], end: { why: 'terminal', cursor: 6 } });
});

test('D26 a gap that the daemon names ends it, with how far nothing can be shown', async () => {
  await using daemon = await eventsOnly(({ begin, response }) => {
    begin();
    response.end(lines([...all.slice(0, 2), { ...streamEnd('gap', 2), lastRemoved: 5 }]));
  });
  expect(await followed(daemon)).toMatchObject({ seqs: [1, 2], end: { why: 'gap', cursor: 2, lastRemoved: 5 } });
});

test('D26 at its deadline it ends and gives the cursor, whether it is connected or not', async () => {
  await using silent = await eventsOnly(({ begin, response }) => {
    begin();
    response.write(lines(all.slice(0, 3)));
  });
  expect((await followed(silent, { timeoutMs: 80 })).end).toEqual({ why: 'deadline', cursor: 3 });
  await using away = await eventsOnly(({ response }) => response.destroy());
  expect((await followed(away, { timeoutMs: 80, since: 2 })).end).toEqual({ why: 'deadline', cursor: 2 });
});

test('an abort ends it with the cursor, and closes the connection', async () => {
  await using daemon = await eventsOnly(({ begin, response }) => {
    begin();
    response.write(lines(all.slice(0, 3)));
  });
  const stop = new AbortController();
  const following = createClient(daemon, quick).follow(runId, { signal: stop.signal });
  for (let seq = 1; seq <= 3; seq += 1) expect(await following.next()).toMatchObject({ value: { seq } });
  expect(await daemon.connections()).toBe(1);
  const last = following.next();
  stop.abort();
  expect(await last).toEqual({ done: true, value: { why: 'aborted', cursor: 3 } });
  await expect.poll(() => daemon.connections(), { timeout: 10_000 }).toBe(0);
});

test('a reader that has had enough closes the connection', async () => {
  await using daemon = await eventsOnly(({ begin, response }) => {
    begin();
    response.write(lines(all.slice(0, 3)));
  });
  for await (const { seq } of createClient(daemon, quick).follow(runId)) if (seq === 2) break;
  await expect.poll(() => daemon.connections(), { timeout: 10_000 }).toBe(0);
});

test('a reader that is slow is no silence of the daemon', async () => {
  await using daemon = await eventsOnly(({ begin, response }) => {
    begin();
    response.end(lines(all));
  });
  const client = createClient(daemon, { ...quick, silenceMs: 50 });
  for await (const { seq } of client.follow(runId)) if (seq === 2) await new Promise((done) => setTimeout(done, 150));
  expect(daemon.asked).toHaveLength(1);
});

test('heartbeats keep a quiet connection', async () => {
  await using daemon = await eventsOnly(({ begin, response }) => {
    begin();
    let beats = 0;
    const timer = setInterval(() => {
      beats += 1;
      response.write('\n');
      if (beats < 10) return;
      clearInterval(timer);
      response.end(lines(all));
    }, 30);
  });
  expect((await followed(daemon, {}, { silenceMs: 200 })).end).toEqual({ why: 'terminal', cursor: 6 });
  expect(daemon.asked).toHaveLength(1);
});

test('it gives up after the time it was given without a connection', async () => {
  await using daemon = await eventsOnly(({ response }) => response.destroy());
  await expect(followed(daemon, { reconnectMs: 60 })).rejects.toMatchObject({ code: 'daemon_unreachable' });
  expect(daemon.asked.length).toBeGreaterThan(1);
});

test('a long life of the connection before it was lost is no time without one', async () => {
  await using daemon = await eventsOnly(({ begin, response }, connection) => {
    begin();
    if (connection > 0) return void response.end(lines(all.slice(2)));
    response.write(lines(all.slice(0, 2)));
    setTimeout(() => response.destroy(), 300);
  });
  expect((await followed(daemon, { reconnectMs: 200 })).end).toEqual({ why: 'terminal', cursor: 6 });
});

test('a daemon that takes a question and never answers it does not hold up the deadline', async () => {
  await using daemon = await scriptedDaemon(({ url, begin, response }) => {
    if (!url.pathname.endsWith('/events')) return;
    begin();
    response.end();
  });
  expect((await followed(daemon, { timeoutMs: 100 })).end).toEqual({ why: 'deadline', cursor: 0 });
});
