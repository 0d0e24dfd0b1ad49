import { describe, expect, test } from 'vitest';
import type { AgentNote } from '../../domain/runs/ports.ts';
import { createRedactor } from '../../platform/redaction/redactor.ts';
import { NoteStream } from './note-stream.ts';

const redactor = createRedactor('ledger');

function collected() {
  const notes: AgentNote[] = [];
  const state = { now: 0 };
  const stream = new NoteStream(
    async (note) => {
      notes.push(note);
    },
    redactor,
    () => state.now,
  );
  return { notes, stream, state };
}

describe('the notes of an agent', () => {
  test('R26 10,000 at once pass, the next is dropped and counted, and later ones pass again', async () => {
    const { notes, stream, state } = collected();
    for (let n = 0; n < 10_007; n++) void stream.add('log', 'info', String(n));
    await stream.flush();
    expect(notes.length).toBe(10_001);
    expect(notes.at(-2)?.message).toBe('9999');
    expect(notes.at(-1)).toMatchObject({ level: 'warning', dropped: 7 });
    state.now += 20;
    await stream.add('log', 'info', 'a');
    await stream.add('log', 'info', 'b');
    await stream.add('log', 'info', 'c');
    expect(notes.slice(10_001).map((note) => note.message)).toEqual(['a', 'b']);
    state.now += 10;
    await stream.add('log', 'info', 'd');
    expect(notes.at(-1)).toEqual({ kind: 'log', level: 'info', message: 'd', dropped: 1 });
    await stream.flush();
    expect(notes.length).toBe(10_004);
  });

  test('R26 16 MiB at once pass, not more', async () => {
    const { notes, stream } = collected();
    for (let n = 0; n < 100; n++) await stream.add('log', 'info', 'x'.repeat(262_000));
    expect(notes.length).toBe(Math.floor((16 * 2 ** 20) / 262_000));
    expect(stream.dropped).toBe(100 - notes.length);
    expect(notes[0]?.message.length).toBeLessThan(17_000);
    expect(notes[0]?.message).toContain('(cut: 245616 more characters)');
  });

  test('R26 notes are kept one at a time, and the reader waits for each', async () => {
    let open = 0;
    let most = 0;
    const stream = new NoteStream(async () => {
      open += 1;
      most = Math.max(most, open);
      await new Promise((resolve) => setImmediate(resolve));
      open -= 1;
    }, redactor);
    const first = stream.add('log', 'info', 'a');
    const second = stream.add('stderr', 'info', 'b');
    await Promise.all([first, second]);
    expect(most).toBe(1);
  });

  test('what the store cannot hold is escaped, and data that grew too big is left out', async () => {
    const { notes, stream } = collected();
    await stream.add('log', 'info', 'nul \0 and half \ud800', { text: 'a\0b' });
    await stream.add('progress', 'info', 'big', { text: 'x'.repeat(20_000) });
    expect(notes[0]).toEqual({
      kind: 'log',
      level: 'info',
      message: 'nul \\u0000 and half \\ud800',
      data: { escaped: true, value: { text: 'a\\u0000b' } },
    });
    expect(notes[1]?.data).toEqual({ cut: true, characters: 20_011 });
  });

  test('R28 a private key spread over many lines is taken out of each stream', async () => {
    const { notes, stream } = collected();
    const lines = [
      '-----BEGIN PRIVATE KEY-----',
      'MIIEvQIBADANBgkqhkiG9w0BAQEFAASC',
      '-----END PRIVATE KEY-----',
      'after',
    ];
    for (const line of lines) await stream.add('stderr', 'info', line);
    expect(notes.map((note) => note.message).join()).not.toContain('MIIEvQ');
    expect(notes.at(-1)?.message).toBe('after');
  });

  test('a note that could not be kept fails all that follow', async () => {
    const full = new Error('full');
    const stream = new NoteStream(() => Promise.reject(full), redactor);
    await expect(stream.add('log', 'info', 'a')).rejects.toBe(full);
    await expect(stream.add('log', 'info', 'b')).rejects.toBe(full);
    await expect(stream.flush()).rejects.toBe(full);
  });
});
