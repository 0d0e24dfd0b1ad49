import { type StreamLine, streamLineSchema } from '../../contract/api/events.ts';
import { WaybillError } from '../../contract/errors.ts';
import { LineReader, LineTooLong } from '../../contract/line-reader.ts';
import { jsonOf } from './client-error.ts';
import { fits } from './fits.ts';

/** Far above what an event can hold (larger bodies are blobs), far below what could fill a memory. */
const longestLine = 64 * 1_048_576;

/**
 * The lines of a stream of events, as they come. Empty lines are signs of life and left out; what comes after the
 * last newline was cut off, and is no line.
 * @param read the next bytes; null at the end. Its errors are passed on
 * @throws WaybillError `response_invalid` for a line that is none of ours
 */
export async function* readLines(read: () => Promise<Uint8Array | null>): AsyncGenerator<StreamLine, void, void> {
  const lines = new LineReader(longestLine);
  for (let chunk = await read(); chunk !== null; chunk = await read()) {
    try {
      for (const line of lines.push(chunk)) if (line.length > 0) yield parsed(line);
    } catch (error) {
      throw error instanceof LineTooLong ? invalid(`one of its lines is longer than ${error.limit} bytes`) : error;
    }
  }
}

function parsed(line: Uint8Array): StreamLine {
  const value = jsonOf(Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString());
  if (fits(streamLineSchema, value)) return value;
  throw invalid('one of its lines is no event');
}

function invalid(why: string): WaybillError {
  return new WaybillError('response_invalid', `this is not a stream of events: ${why}`, {
    hint: 'Check the address, and what stands between you and the daemon; both should have the same version.',
  });
}
