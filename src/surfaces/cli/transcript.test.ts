import { describe, expect, test } from 'vitest';
import { eventTypes } from '../../contract/evidence.ts';
import { durationText } from './duration.ts';
import { eventLine } from './event-line.ts';
import { event, runId } from './fixtures/fake-host.ts';
import { paletteFor } from './palette.ts';
import { printableLine, printableLines } from './printable.ts';
import { workingText } from './progress-line.ts';
import { Transcript } from './transcript.ts';

const plain = paletteFor({ isTerminal: false }, {}, true);

describe('Transcript', () => {
  test('tells a run with a retry, a review that asks for changes, and an approval', () => {
    const transcript = new Transcript(runId, plain);
    const failure = { code: 'agent_exited', message: 'the agent\u001b[1A ended with exit code 7', retryable: true };
    const told = [
      event(1, 'run.started', { workflow: 'task' }),
      event(2, 'attempt.started', { inputs: { goal: 'x' } }, 'implement'),
      event(3, 'agent.hello', {}, 'implement'),
      event(4, 'agent.log', { message: 'editing\ngreet.js' }, 'implement'),
      event(5, 'attempt.failed', { failure, retryInMs: 1200 }, 'implement'),
      event(6, 'attempt.started', { inputs: { goal: 'x' } }, 'implement', 2),
      event(7, 'process.output', { text: 'ok 1\nok 2\n', stream: 'stdout' }, 'implement', 2),
      event(8, 'step.succeeded', { artifacts: [{ path: 'greet.js' }] }, 'implement', 2),
      event(
        9,
        'attempt.started',
        { inputs: { findings: [{ path: 'greet.js', line: 3, message: 'empty name' }, 'no test', { odd: 1 }] } },
        'implement_changes',
      ),
      event(10, 'step.failed', { failure: { code: 'tests_failed', message: '2 failed' } }, 'implement_changes'),
      event(11, 'approval.requested', { inputs: { prompt: 'Ship it?' } }, 'release'),
      event(12, 'run.waiting', { waits: [] }),
      event(13, 'run.resumed', {}),
      event(14, 'approval.answered', { actor: 'local:1000', answer: { approved: true } }, 'release'),
      event(15, 'step.succeeded', {}, 'release'),
      event(16, 'sleep.started', { until: Date.UTC(2026, 10, 23) * 1000 }, 'nap'),
      event(17, 'step.succeeded', {}, 'nap'),
      event(18, 'run.failed', { failure: { code: 'max_iterations', message: 'after 5 rounds' } }),
    ].flatMap((each) => transcript.lines(each));
    expect(told).toEqual([
      `${runId} started`,
      '  ▸ implement',
      '    │ editing greet.js',
      '  ! implement agent_exited: the agent ended with exit code 7, again in 1.2 s',
      '  ▸ implement attempt 2',
      '    │ ok 1',
      '    │ ok 2',
      '  ✓ implement 3.0 s, 1 artifact',
      '  ▸ implement_changes',
      '    - greet.js:3 empty name',
      '    - no test',
      '    - {"odd":1}',
      '  ✗ implement_changes 500 ms tests_failed: 2 failed',
      '  ? release Ship it?',
      `    answer with: waybill approve ${runId}, or: waybill deny ${runId}`,
      'waiting no process is kept meanwhile',
      `${runId} resumed`,
      '  ✓ release approved by local:1000',
      '  … nap sleeps until 2026-11-23T00:00:00.000Z',
      '  ✓ nap',
      'failed after 8.5 s max_iterations: after 5 rounds',
    ]);
  });

  test('a run that fails for the step that failed does not say it twice', () => {
    const transcript = new Transcript(runId, plain);
    const failure = { code: 'process_exit', message: 'make ended with exit code 2' };
    const told = [
      event(1, 'run.started'),
      event(2, 'step.failed', { failure }, 'make'),
      event(3, 'run.failed', { failure }),
    ];
    expect(told.flatMap((each) => transcript.lines(each))).toEqual([
      `${runId} started`,
      '  ✗ make process_exit: make ended with exit code 2',
      'failed after 1.0 s',
    ]);
  });

  test('knows which steps are at work, for the progress line', () => {
    const transcript = new Transcript(runId, plain);
    transcript.lines(event(1, 'attempt.started', {}, 'a'));
    transcript.lines(event(2, 'attempt.started', {}, 'b'));
    const at = (seq: number) => Date.UTC(2026, 10, 22, 21, 5, 0, seq * 500);
    expect(transcript.working).toEqual([
      { step: 'a', since: at(1) },
      { step: 'b', since: at(2) },
    ]);
    expect(workingText(transcript.working, at(2))).toBeNull();
    expect(workingText(transcript.working, at(3))).toBe('a 1.0 s');
    expect(workingText(transcript.working, at(6))).toBe('a 2.5 s, b 2.0 s');
    transcript.lines(event(3, 'step.succeeded', {}, 'a'));
    expect(transcript.working.map(({ step }) => step)).toEqual(['b']);
    transcript.lines(event(4, 'run.interrupted', { signal: 'SIGINT' }));
    expect(transcript.working).toEqual([]);
  });

  test('has words, or silence, for every type of event, and never passes control characters on', () => {
    const transcript = new Transcript(runId, plain);
    const hostile = {
      message: 'x\u001b]0;title\u0007',
      text: 'y\u001b[2J\r\n\u0008z',
      actor: '\u202eroot',
      failure: { code: 'c\u0007', message: 'm\u009b1A' },
    };
    for (const [index, type] of eventTypes.entries()) {
      for (const line of [
        ...transcript.lines(event(index + 1, type, hostile, 's\u0007')),
        eventLine(event(index + 1, type, hostile, 's\u0007'), plain),
      ]) {
        // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there.
        expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
      }
    }
  });
});

test('an event is one line with number, time, type, step and what it carries', () => {
  expect(eventLine(event(7, 'step.failed', { failure: { code: 'x' } }, 'review', 2), plain)).toBe(
    '    7 21:05:03.500 step.failed         review (attempt 2) {"failure":{"code":"x"}}',
  );
  expect(eventLine(event(12, 'run.started'), plain)).toBe('   12 21:05:06.000 run.started        ');
});

test.each([
  [0, '0 ms'],
  [-5, '0 ms'],
  [999.4, '999 ms'],
  [1000, '1.0 s'],
  [59_940, '59.9 s'],
  [59_960, '1 min'],
  [125_000, '2 min 5 s'],
  [3_600_000, '1 h'],
  [3_780_000, '1 h 3 min'],
])('%i ms is %j', (milliseconds, text) => {
  expect(durationText(milliseconds)).toBe(text);
});

test('a printable line is one line of bounded length', () => {
  expect(printableLine('a\tb\r\nc\u0000')).toBe('a b c\\u0000');
  expect(printableLine('\u001b[31mred\u001b[0m')).toBe('red');
  expect(printableLine('x'.repeat(5000))).toBe(`${'x'.repeat(2000)} ...`);
  expect(printableLine('👍'.repeat(5), 3).isWellFormed()).toBe(true);
  expect(printableLines('a\r\nb\n')).toEqual(['a', 'b']);
  expect(printableLines('')).toEqual([]);
});
