import { systemCode } from '../../platform/files/file-write-failed.ts';
import type { OutputStream, Terminal } from './program.ts';
import { expectEnd } from './unexpected-end.ts';

/** The terminal of this process: standard input, output and error, and its signals. */
export function processTerminal(): Terminal {
  return {
    stdout: outputStream(process.stdout),
    stderr: outputStream(process.stderr),
    readInput: async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk));
      return Buffer.concat(chunks).toString('utf8');
    },
    onStop: (handler) => {
      const onInterrupt = () => handler('SIGINT');
      const onTerminate = () => handler('SIGTERM');
      process.on('SIGINT', onInterrupt);
      process.on('SIGTERM', onTerminate);
      return {
        [Symbol.dispose]: () => {
          process.off('SIGINT', onInterrupt);
          process.off('SIGTERM', onTerminate);
        },
      };
    },
    exit: (code) => process.exit(code),
  };
}

function outputStream(stream: NodeJS.WriteStream): OutputStream {
  const closed = new AbortController();
  // `waybill events RUN | head` closes the pipe: nobody reads any more, which is no failure of the run.
  stream.on('error', (error) => {
    if (systemCode(error) !== 'EPIPE') throw error;
    closed.abort();
  });
  return {
    isTerminal: stream.isTTY === true,
    closed: closed.signal,
    write: async (text) => {
      if (closed.signal.aborted || stream.destroyed) return;
      const written = Promise.withResolvers<void>();
      if (!stream.write(text, () => written.resolve())) await written.promise;
    },
  };
}

/**
 * Ends the process once all it printed has left it. Said explicitly, because a configuration may have left a
 * timer or a connection open, and a command that is done must not hang on it.
 */
export async function exitWhenPrinted(code: number): Promise<never> {
  const flushed = [process.stdout, process.stderr].map(
    (stream) => new Promise<void>((resolve) => (stream.destroyed ? resolve() : stream.write('', () => resolve()))),
  );
  await Promise.all(flushed);
  expectEnd();
  process.exit(code);
}
