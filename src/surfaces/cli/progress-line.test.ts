import { Writable } from 'node:stream';
import { expect, test, vi } from 'vitest';
import { ProgressLine } from './progress-line.ts';

class FakeTerminal extends Writable {
  readonly isTTY = true;
  readonly columns = 80;
  written = '';
  override _write(chunk: unknown, _: BufferEncoding, done: () => void): void {
    this.written += String(chunk);
    done();
  }
  clearLine(): boolean {
    return true;
  }
  cursorTo(): boolean {
    return true;
  }
  moveCursor(): boolean {
    return true;
  }
}

test('what takes long is shown with its time, and is gone when it is done or disposed', async () => {
  // The spinner draws nothing where CI is set, as it is in CI.
  vi.stubEnv('CI', undefined);
  const terminal = new FakeTerminal();
  const listeners = process.listenerCount('SIGINT');
  const working = [{ step: 'implement', since: 1_000 }];
  {
    await using line = new ProgressLine(
      () => working,
      terminal,
      () => 3_500,
    );
    await vi.waitFor(() => expect(terminal.written).toContain('implement 2.5 s'), { timeout: 5_000, interval: 20 });
    line.clear();
    terminal.written = '';
    await vi.waitFor(() => expect(terminal.written).toContain('implement'), { timeout: 5_000, interval: 20 });
    // Stopping in order is the frame's: a spinner that listens too would end the process.
    expect(process.listenerCount('SIGINT')).toBe(listeners);
    working.pop();
    terminal.written = '';
    await vi.waitFor(() => expect(terminal.written).toContain('\u001b[?25h'), { timeout: 5_000, interval: 20 });
    working.push({ step: 'review', since: 0 });
    await vi.waitFor(() => expect(terminal.written).toContain('review'), { timeout: 5_000, interval: 20 });
  }
  expect(terminal.written.endsWith('\u001b[?25h')).toBe(true);
  vi.unstubAllEnvs();
});
