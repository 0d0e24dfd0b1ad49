import { PassThrough } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { WaybillError } from '../../contract/errors.ts';
import { parseId } from '../../contract/ids.ts';
import type { HeldProcess, ProcessExit } from '../../domain/runs/ports.ts';
import { systemClock } from '../../platform/clock/clock.ts';
import { createRedactor } from '../../platform/redaction/redactor.ts';
import { command, defaults, within } from './fixtures/scene.ts';
import { StdioSession } from './stdio-session.ts';

/** One thing an agent does after it was given its command. */
type Deed =
  | { readonly say: string }
  | { readonly exit: number }
  | { readonly wait: true }
  | { readonly closeStdout: true };

/** A process of our imagination: nothing runs, its pipes are in memory. */
function imagined() {
  const stdin = new PassThrough();
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const exited = Promise.withResolvers<ProcessExit>();
  let kills = 0;
  const end = (exit: ProcessExit) => {
    for (const stream of [stdout, stderr]) if (!stream.writableEnded) stream.end();
    exited.resolve(exit);
  };
  const held: HeldProcess = {
    identity: { pid: 1, startTime: '1', bootId: 'b', host: 'h', marker: 'imagined' },
    stdin,
    stdout,
    stderr,
    release: () => {},
    exited: exited.promise,
    kill: async () => {
      kills += 1;
      end({ exitCode: null, signal: 'SIGTERM' });
      return { how: 'contained', signaled: 1, left: 0 };
    },
  };
  return { held, stdin, stdout, end, kills: () => kills };
}

async function perform(
  deeds: readonly Deed[],
  world: ReturnType<typeof imagined>,
  correlationId: string,
): Promise<void> {
  for (const deed of deeds) {
    if ('wait' in deed) await turn();
    else if ('exit' in deed) return world.end({ exitCode: deed.exit, signal: null });
    else if ('closeStdout' in deed) world.stdout.end();
    else if (!world.stdout.writableEnded) world.stdout.write(deed.say.replaceAll('CID', correlationId));
  }
}

const answer = '{"type":"event","event":"completed","correlationId":"CID","outputs":{},"artifacts":[]}\n';
const sayings = [
  answer,
  answer.slice(0, 30),
  answer.replace('CID', 'other'),
  `${answer}${answer}`,
  '{"type":"event","event":"error","correlationId":"CID","error":{"code":"no","message":"","retryable":true}}\n',
  '{"type":"event","event":"progress","correlationId":"CID","message":"p"}\n',
  '{"type":"log","level":"info","message":"l"}\n',
  '{"type":"heartbeat"}\n',
  '\n',
  'garbage\n',
  '[]\n',
  'x'.repeat(300_000),
  '{"type":"hello","protocol":"waybill.agent.v1","name":"a","version":"1","actions":[],"dedupe":false}\n',
];
const deed: fc.Arbitrary<Deed> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...sayings).map((say) => ({ say })) },
  { weight: 2, arbitrary: fc.constant({ wait: true } as const) },
  { weight: 1, arbitrary: fc.constantFrom(0, 1).map((exit) => ({ exit })) },
  { weight: 1, arbitrary: fc.constant({ closeStdout: true } as const) },
);

test('R26 whatever an agent does, a command ends once, in an answer or in a typed failure, and a failed process is killed', async () => {
  const outcomes = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(fc.array(deed, { maxLength: 6 }), async (deeds) => {
      const world = imagined();
      const session = new StdioSession(world.held, {
        settings: { ...defaults, graceMs: 1 },
        context: {
          runId: parseId('run', 'run-20261122-210000-0000abcd'),
          workspaceRoot: '/nowhere',
          marker: 'imagined',
          traceparent: null,
          signal: new AbortController().signal,
          onProcess: async () => {},
          onNote: async () => {},
        },
        clock: systemClock,
        redactor: createRedactor('ledger'),
      });
      world.stdout.write(sayings.at(-1));
      await session.start();
      world.stdin.once('data', (line) => void perform(deeds, world, JSON.parse(String(line)).correlationId));
      const outcome = await session.send(command(), within(40)).catch((error: unknown) => error);
      const code = outcome instanceof WaybillError ? outcome.code : outcome instanceof Error ? 'untyped' : 'answered';
      outcomes.set(code, (outcomes.get(code) ?? 0) + 1);
      expect(code).not.toBe('untyped');
      if (outcome instanceof WaybillError) {
        expect(outcome.details?.retryable).toBeTypeOf('boolean');
        // The work failed, the agent is sound: only that leaves it alive.
        if (code !== 'agent_error') expect([session.usable, world.kills()]).toEqual([false, 1]);
      }
      expect((await session.close(1)).left).toBe(0);
      expect(world.kills()).toBe(1);
    }),
    { numRuns: 300 },
  );
  expect([...outcomes.keys()].sort()).toEqual(
    expect.arrayContaining([
      'agent_bad_line',
      'agent_duplicate_answer',
      'agent_error',
      'agent_exited',
      'agent_timeout',
      'answered',
    ]),
  );
});
