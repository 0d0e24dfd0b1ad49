// The one client every registry is asked with: connections that stay open, and a download that costs this side as little
// as it can, so that what is measured is the server.
import { Agent, request } from 'node:http';
import { connect, createServer } from 'node:net';

/** Calls over at most `most` connections. */
export function openClient(url, most) {
  const agent = new Agent({ keepAlive: true, maxSockets: most });
  const { hostname, port } = new URL(url);

  /** @returns {Promise<{ status: number, headers: object, body: Buffer }>} */
  function call(method, path, { headers = {}, body = '' } = {}) {
    const { promise, resolve, reject } = Promise.withResolvers();
    const parts = Array.isArray(body) ? body : [body];
    const length = parts.reduce((sum, part) => sum + Buffer.byteLength(part), 0);
    const lengths = method === 'GET' ? {} : { 'content-length': length };
    const asked = request({ hostname, port, path, method, headers: { ...headers, ...lengths }, agent }, (answer) => {
      const chunks = [];
      answer.on('data', (chunk) => chunks.push(chunk));
      answer.on('end', () =>
        resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(chunks) }),
      );
      answer.on('error', reject);
    });
    asked.on('error', reject);
    for (const part of parts.slice(0, -1)) asked.write(part);
    asked.end(parts.at(-1));
    return promise;
  }

  /** As `call`; throws unless it answers with one of these. */
  async function must(statuses, method, path, options) {
    const answer = await call(method, path, options);
    if (statuses.includes(answer.status)) return answer;
    throw new Error(`${method} ${path} answered ${answer.status}: ${answer.body.toString('utf8', 0, 500)}`);
  }

  /** Reads an answer with a known length into one buffer, over and over. @returns the bytes of its body, counted */
  function download(path, headers = {}) {
    const { promise, resolve, reject } = Promise.withResolvers();
    let head = '';
    let counted = -1;
    const callback = (count, buffer) => {
      if (counted >= 0) counted += count;
      else {
        head += buffer.toString('latin1', 0, count);
        const end = head.indexOf('\r\n\r\n');
        if (end >= 0) counted = head.length - end - 4;
      }
      return true;
    };
    const onread = { buffer: Buffer.allocUnsafeSlow(1 << 18), callback };
    const socket = connect({ host: hostname, port: Number(port), onread });
    socket.on('error', reject);
    socket.on('close', () => {
      const length = Number(/^content-length: (\d+)\r$/im.exec(head)?.[1]);
      if (/^HTTP\/1\.1 200 /.test(head) && counted === length) resolve(counted);
      else reject(new Error(`GET ${path}: ${counted} of ${length} bytes, ${head.slice(0, 200)}`));
    });
    const lines = Object.entries({ host: `${hostname}:${port}`, ...headers, connection: 'close' });
    socket.write(`GET ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`);
    return promise;
  }

  return { call, must, download, close: () => agent.destroy() };
}

/** A port of 127.0.0.1 nobody listens on just now, for servers that cannot say which one they took. */
export function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Asks until it answers, for as long as its process lives. */
export async function untilItAnswers(url, path, child) {
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${child.spawnargs[0]} ended at once`);
    const answer = await fetch(`${url}${path}`).catch(() => undefined);
    await answer?.arrayBuffer();
    if (answer?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
