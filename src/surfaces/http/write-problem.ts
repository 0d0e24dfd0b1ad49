import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { problemMediaType } from '../../contract/api/problem.ts';
import type { WaybillError } from '../../contract/errors.ts';
import { pathOf, problemOf } from './problem-answer.ts';

/** Answers a request that no route could be found for. */
export function writeProblem(response: ServerResponse, error: WaybillError, url: string): void {
  const problem = problemOf(error, { instance: pathOf(url), errorId: null, correlationId: null });
  response.writeHead(problem.status, { 'content-type': problemMediaType }).end(JSON.stringify(problem));
}

/** How long a refused client has to read its answer and to go by itself. */
const lingerMs = 1_000;

/** Answers what could not even be read as a request, and ends its connection, also when the client would keep it. */
export function writeRawProblem(socket: Duplex, error: WaybillError, errorId: string | null, status?: number): void {
  const problem = problemOf(error, { instance: '', errorId, correlationId: null });
  const answer = { ...problem, status: status ?? problem.status };
  const body = JSON.stringify(answer);
  socket.end(
    [
      `HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status] ?? 'Error'}`,
      `Content-Type: ${problemMediaType}`,
      `Content-Length: ${Buffer.byteLength(body)}`,
      'Connection: close',
      '',
      body,
    ].join('\r\n'),
  );
  // Closed at once, with bytes still unread, the answer could be lost on its way. Nobody else looks at it any more.
  socket.resume();
  const linger = setTimeout(() => socket.destroy(), lingerMs);
  socket.once('close', () => clearTimeout(linger));
}
