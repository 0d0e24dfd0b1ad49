import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { WaybillError } from '../../contract/errors.ts';
import { logLevel } from './access-log.ts';
import { createHttpApp } from './http-app.ts';
import type { HttpContext } from './http-context.ts';
import type { HttpParts, HttpServer, ListenOptions } from './http-parts.ts';
import { listening, listenOnSocket } from './listen-on-socket.ts';
import { Measurements } from './measurements.ts';
import { Refusals } from './refusals.ts';
import { limitArrival } from './request-arrival.ts';
import { writeRawProblem } from './write-problem.ts';

/** Bounds on what one connection may cost: Node looks at them every few seconds and ends those that exceed them. */
const bounds = {
  headersTimeout: 10_000,
  // Ours holds instead, for all but the routes that take bytes.
  requestTimeout: 0,
  keepAliveTimeout: 30_000,
  connectionsCheckingInterval: 2_000,
  maxHeaderSize: 16_384,
  // A request without one is refused by our own check, with a problem that says so.
  requireHostHeader: false,
} as const;

/** All of a request, its body included. */
const arrivalMs = 60_000;

/**
 * Serves the API until it is closed. Resolves when it listens.
 * @throws WaybillError `address_in_use`, `daemon_running`, `invalid_path`, `invalid_argument` for a wrong `WAYBILL_LOG`
 */
export async function startHttpServer(parts: HttpParts, listen: ListenOptions): Promise<HttpServer> {
  const level = logLevel(process.env.WAYBILL_LOG);
  const draining = new AbortController();
  const measurements = new Measurements();
  const refusals = new Refusals(parts, measurements);
  const context: HttpContext = { parts, drain: draining.signal, measurements };
  const app = await createHttpApp(context, { refusals, level });
  const servers: Server[] = [];
  const open = (): Server => {
    const server = createServer(bounds);
    const answer = (message: IncomingMessage, response: ServerResponse) => {
      limitArrival(message, arrivalMs, () => void refuseUnread(late(), message.socket, refusals));
      app.routing(message, response);
    };
    // Told to go on before its head was looked at, a client would send all of a body that is refused.
    server.on('request', answer).on('checkContinue', answer);
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => void refuseUnread(error, socket, refusals));
    servers.push(server);
    return server;
  };
  try {
    const removeSocket = listen.socket === null ? null : await listenOnSocket(open(), listen.socket);
    const port = listen.port === null ? null : await listenOnPort(open(), listen.port);
    return {
      url: port === null ? null : `http://127.0.0.1:${port}`,
      socket: listen.socket,
      close: async (graceMs) => {
        draining.abort();
        await removeSocket?.();
        await Promise.all(servers.map((server) => closed(server, graceMs)));
        await app.close();
        await refusals.flush();
      },
    };
  } catch (error) {
    await Promise.all(servers.map((server) => closed(server, 0)));
    await app.close();
    throw error;
  }
}

/** @throws WaybillError `address_in_use` */
async function listenOnPort(server: Server, wanted: number): Promise<number> {
  try {
    await listening(server, { port: wanted, host: '127.0.0.1' });
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'EADDRINUSE') throw error;
    throw new WaybillError('address_in_use', `port ${wanted} is taken by another program`, {
      hint: 'Choose another one, or --port 0 for any that is free.',
      details: { port: wanted },
      cause: error,
    });
  }
  const address = server.address();
  if (address !== null && typeof address === 'object') return address.port;
  throw new WaybillError('internal', 'the server does not know its port');
}

/** Takes no new connection, lets go of idle ones, and of all others after `graceMs`. */
async function closed(server: Server, graceMs: number): Promise<void> {
  if (!server.listening) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), graceMs);
    // A connection that becomes idle after its answer is let go at once, not when its keep-alive time is over.
    const idle = setInterval(() => server.closeIdleConnections(), 20);
    server.close(() => {
      clearTimeout(timer);
      clearInterval(idle);
      resolve();
    });
  });
}

/** What is no HTTP, too long in its head or too slow is refused before it is a request. */
async function refuseUnread(error: NodeJS.ErrnoException, socket: Duplex, refusals: Refusals): Promise<void> {
  // Gone in the middle of a request: nobody is left to tell, and it was nobody's fault.
  if (error.code === 'ECONNRESET' || error.code === 'HPE_INVALID_EOF_STATE' || !socket.writable) {
    socket.destroy();
    return;
  }
  const refused = unreadError(error);
  const errorId = await refusals.record({ error: refused, actor: null, route: '(unread)' });
  if (!socket.writable) return;
  writeRawProblem(socket, refused, errorId, error.code === 'HPE_HEADER_OVERFLOW' ? 431 : undefined);
}

function late(): NodeJS.ErrnoException {
  return Object.assign(new Error('the request did not arrive in time'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' });
}

function unreadError(error: NodeJS.ErrnoException): WaybillError {
  switch (error.code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new WaybillError('request_timeout', 'the request did not arrive in time', { cause: error });
    case 'HPE_HEADER_OVERFLOW':
      return new WaybillError('invalid_argument', 'the head of the request is too long', { cause: error });
    default:
      return new WaybillError('invalid_argument', 'this is no HTTP request that can be read', { cause: error });
  }
}
