import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const program = join(import.meta.dirname, '..', 'bin', 'waybill');

/** `quiet` waits for a signal; `talk` prints `lines` lines, one every `everyMs`. */
const configuration = `import { defineConfig, defineWorkflow } from 'waybill';
const print = 'i=0; while [ $i -lt $1 ]; do i=$((i+1)); sleep "$2"; echo "line $i of a build that talks"; done';
export default defineConfig({
  evidence: 'on-demand',
  daemon: { concurrency: 50 },
  workflows: [
    defineWorkflow('quiet', { snapshot: 'none' }, async (run) => run.signal('go')),
    defineWorkflow('talk', { snapshot: 'none' }, async (run, { lines, everyMs }) => {
      await run.signal('go');
      const { exitCode } = await run.exec(['sh', '-c', print, 'sh', String(lines), String(everyMs / 1000)]);
      return exitCode;
    }),
  ],
});
`;

const tool = {
  schema: 'waybill.tool.v1',
  id: 'noop',
  version: '1.0.0',
  title: 'Nothing',
  description: 'Answers what the benchmark expects, and does nothing else.',
  kind: 'function',
  module: 'noop.mjs',
  inputSchema: { type: 'integer' },
  outputSchema: { type: 'integer' },
  sideEffects: 'none',
};

/** A git repository with one tool that does nothing; made in `data`. */
export function makeDaemonWorkspace(data: string): string {
  const workspace = mkdtempSync(join(data, 'daemon-'));
  const folder = join(workspace, 'waybill.tools', 'noop');
  mkdirSync(folder, { recursive: true });
  mkdirSync(join(workspace, '.waybill'), { mode: 0o700 });
  writeFileSync(join(folder, 'tool.json'), JSON.stringify(tool, null, 2));
  writeFileSync(join(folder, 'noop.mjs'), 'export default (n) => (n + 1) * 2 - 3;\n');
  writeFileSync(join(workspace, 'waybill.config.ts'), configuration);
  const made = spawnSync('git', ['init', '-q'], { cwd: workspace, encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`git init failed: ${made.stderr}`);
  return workspace;
}

/** A running `waybill serve`, as a process of its own. */
export interface Daemon {
  readonly url: string;
  readonly token: string;
  readonly pid: number;
  /** SIGTERM, and the end of the process. @throws Error unless it ends with 0 */
  stop(): Promise<void>;
}

export async function startDaemon(workspace: string): Promise<Daemon> {
  const child = spawn(program, ['serve', '--port', '0'], { cwd: workspace, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-4000);
  });
  const ended = once(child, 'close');
  const kill = () => child.kill('SIGKILL');
  process.on('exit', kill);
  const lines = createInterface(child.stdout);
  const [first] = await Promise.race([once(lines, 'line'), ended]);
  const url = String(first);
  if (!url.startsWith('http://') || child.pid === undefined) throw new Error(`waybill serve said ${url}: ${said}`);
  return {
    url,
    token: readFileSync(join(workspace, '.waybill', 'keys', 'token'), 'utf8').trim(),
    pid: child.pid,
    stop: async () => {
      child.kill('SIGTERM');
      const [code] = await ended;
      process.off('exit', kill);
      if (code !== 0) throw new Error(`waybill serve ended with ${String(code)}: ${said}`);
    },
  };
}

/** Calls over connections that stay open, `most` at once; each answer is parsed. @throws Error for a status of 300 or more */
export function connectTo({ url, token }: Pick<Daemon, 'url' | 'token'>, most: number) {
  const agent = new Agent({ keepAlive: true, maxSockets: most });
  const { hostname, port } = new URL(url);
  return (method: 'GET' | 'POST', path: string, body?: unknown): Promise<unknown> => {
    const done = Promise.withResolvers<unknown>();
    const text = body === undefined ? '' : JSON.stringify(body);
    const headers = {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
    };
    const call = request({ hostname, port, path, method, headers, agent }, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.on('end', () => {
        const whole = Buffer.concat(parts).toString();
        if ((answer.statusCode ?? 500) >= 300) done.reject(new Error(`${path}: ${answer.statusCode} ${whole}`));
        else done.resolve(JSON.parse(whole));
      });
    });
    call.on('error', done.reject);
    call.end(text);
    return done.promise;
  };
}
