import { WaybillError } from '../../contract/errors.ts';

/** What of a request says to whom it was sent and from where. */
export interface Addressing {
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** Port of the connection; undefined on a Unix socket, which no page in a browser can reach. */
  readonly port: number | undefined;
}

/**
 * Keeps pages of other sites out, also those whose name was made to point here (DNS rebinding): a request over TCP
 * must name this machine and our port, and one sent by a page must come from our own.
 * @throws WaybillError `host_refused`, `origin_refused`
 */
export function assertOwnAddress({ host, origin, port }: Addressing): void {
  if (port !== undefined && (host === undefined || !namesOf(port).includes(host.toLowerCase()))) {
    throw new WaybillError('host_refused', 'this daemon does not answer under that host name', {
      hint: `Use http://127.0.0.1:${port}.`,
    });
  }
  if (origin === undefined) return;
  if (host !== undefined && origin.toLowerCase() === `http://${host.toLowerCase()}`) return;
  throw new WaybillError('origin_refused', 'pages of other origins may not use this daemon', {
    hint: 'Call it from a program, or from the page it serves itself.',
  });
}

function namesOf(port: number): readonly string[] {
  const names = ['127.0.0.1', 'localhost', '[::1]'];
  return [...names.map((name) => `${name}:${port}`), ...(port === 80 ? names : [])];
}
