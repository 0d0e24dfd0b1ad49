import type { Command } from 'commander';
import { findWorkspace } from '../../../domain/workspace/find-workspace.ts';
import { wholeNumber } from '../argument-parsers.ts';
import type { CliContext } from '../cli-context.ts';
import type { ServingDaemon } from '../program.ts';
import { usageError } from '../usage-error.ts';

interface Options {
  /** False for `--no-port`; undefined takes any free one. */
  readonly port?: number | false;
  readonly socket?: string | boolean;
  readonly store?: string;
  readonly concurrency?: number;
}

export function define(command: Command, context: () => CliContext): void {
  command
    .option(
      '--port <number>',
      'listen on this port of 127.0.0.1; 0, the default, takes any free one',
      wholeNumber(0, 65_535),
    )
    .option('--no-port', 'listen on the socket only')
    .option('--socket <path>', "listen on this Unix socket instead of the workspace's own")
    .option('--no-socket', 'listen on the port only')
    .option('--store <address>', 'a postgres:// address instead of the configured store')
    .option('--concurrency <number>', 'runs at work at once', wholeNumber(1, 1000))
    .addHelpText(
      'after',
      `
Works on submitted runs until SIGTERM or SIGINT: then it takes no more work, lets steps finish within the drain time,
hands the rest over and exits with 0. A second signal hands over at once.

Examples:
  $ waybill serve
  $ waybill serve --port 8080 --no-socket
  $ waybill serve --store postgres://waybill@db.example/waybill`,
    )
    .action(async (options: Options) => {
      const { port: given, socket } = options;
      if (given === false && socket === false) {
        throw usageError('--no-port and --no-socket leave nothing to listen on', 'Leave one of the two out.');
      }
      const workspace = await findWorkspace(context().start);
      const [stop, now] = [new AbortController(), new AbortController()];
      using _ = context().host.terminal.onStop(() => (stop.signal.aborted ? now : stop).abort());
      await context().host.serve(workspace, {
        port: given === false ? null : (given ?? 0),
        socket: socket === false ? null : typeof socket === 'string' ? { path: context().path(socket) } : 'own',
        store: options.store ?? null,
        concurrency: options.concurrency ?? null,
        stop: stop.signal,
        now: now.signal,
        ready: (daemon) => tell(context(), daemon),
      });
    });
}

/** The address first and alone on standard output, for programs; the rest is for people. */
async function tell(context: CliContext, daemon: ServingDaemon): Promise<void> {
  const { url, socket, tokenFile } = daemon;
  const docs = url === null ? null : `${url}/docs`;
  if (context.json) return context.print(JSON.stringify({ ...daemon, docs }));
  const { bold, dim } = context.progressPalette;
  await context.print(url ?? `unix:${socket}`);
  if (url !== null && socket !== null) await context.note(`${dim('socket')}  ${socket}`);
  await context.note(`${dim('token ')}  ${tokenFile}`);
  if (docs !== null) await context.note(`${dim('docs  ')}  ${bold(docs)}`);
}
