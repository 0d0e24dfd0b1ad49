import { version } from './main/package-version.ts';
import { errors, spans } from './main/process-wide.ts';
import { correlationScope } from './platform/correlation/correlation.ts';
import { runCli } from './surfaces/cli/cli.ts';
import { exitWhenPrinted, processTerminal } from './surfaces/cli/process-terminal.ts';
import type { Host } from './surfaces/cli/program.ts';
import { startInBackground } from './surfaces/cli/start-in-background.ts';
import { watchForUnexpectedEnd } from './surfaces/cli/unexpected-end.ts';

/**
 * With `main/`, the one place that knows all rooms: it builds store, executors and engine, and hands them to the command
 * line or the daemon. What a small command does not need is imported when it is needed, so that small commands start fast.
 */
/** Closed when the command's own span has ended: it is the root of the tree, and is stored like the others. */
const open = new AsyncDisposableStack();

const host: Host = {
  version,
  cwd: process.cwd(),
  env: process.env,
  terminal: processTerminal(),
  tools: {
    verifyPath: async (path) => (await import('./surfaces/cli/papers.ts')).verifyPath(path),
    verifyReleaseBundle: async (file, how) =>
      (await import('./main/verify-release-bundle.ts')).verifyReleaseBundle(file, how),
    checkAgent: async (command, options) => (await import('./main/check-agent.ts')).checkAgent(command, options),
    mockAgent: async (script) => {
      await (await import('./sdk/testing/mock-agent.ts')).runMockAgent(script);
      return 0;
    },
  },
  openProgram: async (workspace) => {
    watchForUnexpectedEnd(process.argv.includes('--json'));
    return (await import('./main/open-program.ts')).openProgram(workspace, open);
  },
  serve: async (workspace, options) => (await import('./main/serve.ts')).serve(workspace, options, open),
  report: async (error) => {
    const kept = await errors.capture?.capture(error, { layer: 'L2', component: 'cli' });
    return kept === undefined || kept.kept === 'lost' ? null : kept.errorId;
  },
  startInBackground,
};

const inbound = process.env.TRACEPARENT;
const exitCode = await correlationScope({ component: 'cli', inbound, sink: spans }, () =>
  runCli(process.argv.slice(2), host),
);
await open.disposeAsync();
await exitWhenPrinted(exitCode);
