import { setTimeout as delay } from 'node:timers/promises';
import type { RunDetail, RunSummary } from '../../contract/api/runs.ts';
import { WaybillError } from '../../contract/errors.ts';
import type { LedgerEvent, RunState } from '../../contract/evidence.ts';
import type { FoundDaemon } from '../../domain/workspace/find-daemon.ts';
import { readLocalToken } from '../../domain/workspace/tokens/local-token.ts';
import { currentTraceparent } from '../../platform/correlation/correlation.ts';
import { type Client, createClient } from '../../sdk/client/index.ts';
import type { DaemonProgram, FollowEvents, ListedRun, OwnProgram, RunRequest } from './program.ts';
import { removedMeanwhile } from './removed-meanwhile.ts';

/** A daemon that is started again is back long before; one that is not will not come. */
const reconnectMs = 30_000;

/**
 * The commands' view of a running daemon. The token is the workspace's own, so the actor is the same as without one.
 * @param openOwn for what the daemon does not hand out; opened when it is asked for
 * @throws WaybillError `unauthorized` when the daemon's token file is gone, `config_invalid` when others may read it
 */
export async function openDaemonProgram(
  daemon: FoundDaemon,
  openOwn: () => Promise<OwnProgram>,
): Promise<DaemonProgram> {
  const token = await readLocalToken(daemon.tokenFile);
  if (token === null) {
    throw new WaybillError('unauthorized', `the daemon's token file is gone: ${daemon.tokenFile}`, {
      hint: 'Start the daemon again: it writes a new one. Or work without it: --no-daemon',
    });
  }
  const client = createClient(daemon.address, { token, headers: traceHeaders });
  let own: Promise<OwnProgram> | undefined;
  const opened = () => {
    own ??= openOwn();
    return own;
  };
  return {
    submitRun: async ({ what, tasks, input, priority, key }) => {
      const body = { ...what, tasks: [...tasks], input, priority };
      const { status, body: run } = await client.runs.submit({ body, headers: keyHeader(key) });
      return { runId: run.runId, created: status === 201 };
    },
    requestRun: async (runId, request, key) => {
      const { outcome, by } = await send(client, runId, request, keyHeader(key));
      return { outcome, by };
    },
    listRuns: async ({ states, workflow, task, limit, cursor }) => {
      const page = await client.runs.list({
        query: {
          state: [...states],
          limit,
          ...(workflow !== null && { workflow }),
          ...(task !== null && { task }),
          ...(cursor !== null && { cursor }),
        },
      });
      return { runs: await Promise.all(page.runs.map((run) => listed(client, run))), nextCursor: page.nextCursor };
    },
    showRun: async (runId) => stateOf(await client.runs.get({ params: { runId } })),
    lookAt: async (runId) => {
      // Who waits does not mind a daemon that is started again meanwhile.
      const detail = await patiently(() => client.runs.get({ params: { runId } }));
      const { queue, interrupted, state } = detail;
      // What is in the queue and not parked, some worker takes up.
      const left = queue === null ? interrupted : queue.parked !== null && (interrupted || state === 'queued');
      return { run: stateOf(detail), abandoned: left };
    },
    receipts: async (runId) => (await opened()).receipts(runId).catch(inOtherStore(client, runId)),
    receipt: async (runId, number) => (await opened()).receipt(runId, number).catch(inOtherStore(client, runId)),
    events: (runId, request) => events(client, runId, request),
    listTools: () => client.tools.list(),
    showTool: (toolId) => client.tools.get({ params: { toolId } }),
    makeToken: ({ repos = [], ...wanted }) => client.tokens.make({ body: { ...wanted, repos: [...repos] } }),
    changeRoles: (tokenId, { repos = [], role }) =>
      client.tokens.changeRoles({
        params: { tokenId },
        body: { ...(role !== undefined && { role }), repos: [...repos] },
      }),
    listTokens: async () => (await client.tokens.list()).tokens,
    revokeToken: (tokenId) => client.tokens.revoke({ params: { tokenId } }),
    close: async () => {
      if (own !== undefined) await (await own).close();
    },
  };
}

/** Says of a run that only the daemon has, whose store is another than the configured one, that this is so. */
function inOtherStore(client: Client, runId: string): (error: unknown) => Promise<never> {
  return async (error) => {
    if (!(error instanceof WaybillError) || error.code !== 'run_not_found') throw error;
    await client.runs.get({ params: { runId } });
    throw new WaybillError(
      'run_not_found',
      `${runId} is in the daemon's store, not in the one the configuration names`,
      {
        hint: 'Ask the daemon with waybill/client, or name its store in waybill.config.ts.',
        cause: error,
      },
    );
  };
}

/** Asks again while nobody answers. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  const until = performance.now() + reconnectMs;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      const away = error instanceof WaybillError && error.code === 'daemon_unreachable';
      if (!away || performance.now() > until) throw error;
      await delay(200);
    }
  }
}

type KeyHeader = { readonly 'idempotency-key'?: string };

function keyHeader(key: string | null): KeyHeader {
  return key === null ? {} : { 'idempotency-key': key };
}

function traceHeaders(): Readonly<Record<string, string>> {
  const traceparent = currentTraceparent();
  return traceparent === null ? {} : { traceparent };
}

function send(client: Client, runId: string, request: RunRequest, headers: KeyHeader) {
  switch (request.kind) {
    case 'cancel':
      return client.runs.cancel({ params: { runId }, headers, body: { comment: request.comment } });
    case 'pause':
      return client.runs.pause({ params: { runId }, headers });
    case 'approve':
    case 'deny': {
      const { kind, step, comment } = request;
      const body = { approved: kind === 'approve', comment };
      return client.runs.answerApproval({ params: { runId, step }, headers, body });
    }
    case 'signal': {
      const { name, payload } = request;
      return client.runs.signal({ params: { runId, name }, headers, body: { payload } });
    }
    default:
      return request satisfies never;
  }
}

async function* events(client: Client, runId: string, request: FollowEvents): AsyncGenerator<LedgerEvent, void, void> {
  const { since, follow, signal } = request;
  const stop = signal === undefined ? {} : { signal };
  if (!follow) return yield* client.events(runId, { since, ...stop });
  const end = yield* client.follow(runId, { since, reconnectMs, ...stop });
  if (end.why === 'gap') throw removedMeanwhile(runId, end.cursor);
}

/** `run.json` as it is without a daemon: what the API adds to it is for its own users. */
function stateOf({ queue: _, exit: __, artifacts: ___, ...run }: RunDetail): RunState {
  return run;
}

/** What a row of the list needs beyond the API's: only a run that waits has more to say. */
async function listed(client: Client, run: RunSummary): Promise<ListedRun> {
  const { runId, tasks, state, interrupted } = run;
  const task = tasks.length === 1 ? (tasks[0] ?? null) : null;
  const resume = interrupted ? `waybill resume ${runId}` : null;
  const currentStep = state === 'waiting' ? (await client.runs.get({ params: { runId } })).currentStep : null;
  return { ...run, task, resume, currentStep };
}
