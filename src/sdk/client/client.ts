import { createORPCClient } from '@orpc/client';
import { type ContractRouterClient, isContractProcedure } from '@orpc/contract';
import { OpenAPILink } from '@orpc/openapi-client/fetch';
import { z } from 'zod';
import { contract } from '../../contract/api/contract.ts';
import { ndjsonMediaType } from '../../contract/api/events.ts';
import { idempotencyKeyHeader } from '../../contract/api/route.ts';
import type { RunDetail } from '../../contract/api/runs.ts';
import { WaybillError } from '../../contract/errors.ts';
import type { LedgerEvent } from '../../contract/evidence.ts';
import type { JsonValue } from '../../contract/json.ts';
import type { Backoff } from './backoff.ts';
import type { Fetch } from './fetch.ts';
import { fits } from './fits.ts';
import { type FollowEnd, type FollowedDaemon, type FollowOptions, follow } from './follow.ts';
import { nodeFetch } from './node-fetch.ts';
import { createPlainCalls, type PlainCalls } from './plain-calls.ts';
import { type EventsOptions, readEvents } from './read-events.ts';
import { createSend } from './send.ts';
import { createTransfers, type Transfers } from './transfers.ts';
import { type WaitOptions, waitForRun } from './wait-for-run.ts';

/** Where a daemon listens: `http://127.0.0.1:PORT`, or the path of its Unix socket. */
export type DaemonAddress = { readonly url: string } | { readonly socket: string };

export interface ClientOptions {
  /** What `waybill serve` keeps in its token file, or `waybill tokens make` printed. */
  readonly token?: string;
  /** How requests are sent, instead of over `node:http`. */
  readonly fetch?: Fetch;
  /** Headers of each request beside our own: `traceparent`, or what a proxy asks for. */
  readonly headers?: () => Readonly<Record<string, string>>;
  /** How long what has an idempotency key is sent again while the connection is lost; 10 s unless given. */
  readonly retryMs?: number;
  /** How long a stream may be silent before it counts as dead: three of the daemon's heartbeats, 45 s unless given. */
  readonly silenceMs?: number;
  /** How soon a lost stream is opened again: at random, up to `firstMs`, doubling to `mostMs`. */
  readonly backoff?: Backoff;
}

type Api = ContractRouterClient<typeof contract>;

export interface RunOptions extends WaitOptions {
  /** With a key a submit whose answer was lost is sent again: the same key is the same run. */
  readonly idempotencyKey?: string;
  readonly priority?: number;
}

/** A daemon, as its contract has it, and what takes more than one request. */
export interface Client extends Api, Transfers {
  /** The routes that need no token, and the measurements. */
  readonly system: Omit<PlainCalls, 'events'>;
  /** What the ledger holds now after `since`, and then the end. */
  events(runId: string, options?: EventsOptions): AsyncGenerator<LedgerEvent, void, void>;
  /** The ledger until the terminal event, over lost connections and restarts; see `follow.ts`. */
  follow(runId: string, options?: FollowOptions): AsyncGenerator<LedgerEvent, FollowEnd, void>;
  /**
   * The run when it is finished, however it ended.
   * @throws WaybillError `wait_timeout` after `timeoutMs`, with the cursor; `run_removed`; an abort is the signal's reason
   */
  wait(runId: string, options?: WaitOptions): Promise<RunDetail>;
  /** Submits a tool and waits for its end. */
  run(tool: string, input: JsonValue, options?: RunOptions): Promise<RunDetail>;
}

/**
 * The typed client of a daemon. Every failure is a `WaybillError`: a problem the daemon answers has its code, message
 * and hint, with `{ status, issues, errorId, correlationId }` in `details`; `daemon_unreachable` is a connection that
 * could not be made or was lost, `response_invalid` an answer that no daemon gives.
 */
export function createClient(address: DaemonAddress, options: ClientOptions = {}): Client {
  const socket = 'socket' in address ? address.socket : null;
  const url = 'url' in address ? address.url : 'http://localhost';
  const where = socket ?? url;
  const send = createSend({
    fetch: options.fetch ?? nodeFetch(socket),
    where,
    token: options.token,
    headers: options.headers ?? (() => ({})),
    retryMs: options.retryMs ?? 10_000,
  });
  const api: Api = createORPCClient(
    new OpenAPILink(contract, {
      url,
      fetch: (request) => send.whole(request),
      interceptors: [
        async ({ next, path, signal }) => {
          const answer = await next().catch((error: unknown) => {
            if (error instanceof WaybillError || signal?.aborted === true) throw error;
            throw notJson(path, error);
          });
          if (hasShapeOf(path, answer)) return answer;
          throw notJson(path);
        },
      ],
    }),
  );
  const { events: openEvents, ...system } = createPlainCalls(send, url);
  const open = (following: 'true' | 'false') => (runId: string, since: number, signal: AbortSignal) =>
    openEvents({ params: { runId }, query: { since, follow: following }, signal }, ndjsonMediaType);
  const daemon: FollowedDaemon = {
    where,
    open: open('true'),
    lastOf: async (runId, signal) => (await api.runs.get({ params: { runId } }, { signal })).terminalEvent?.seq ?? null,
    silenceMs: options.silenceMs ?? 45_000,
    backoff: options.backoff ?? { firstMs: 100, mostMs: 5_000 },
  };
  const transfers = createTransfers(send, {
    url,
    where,
    uploads: {
      start: async (repoKey, size) => {
        const body = size === undefined ? {} : { size };
        return (await api.uploads.start({ params: { repoKey }, body })).body;
      },
      finish: async (repoKey, uploadId, digest) =>
        (await api.uploads.finish({ params: { repoKey, uploadId }, query: { digest } })).body,
      discard: (repoKey, uploadId) => api.uploads.discard({ params: { repoKey, uploadId } }),
    },
  });
  const client: Client = {
    runs: api.runs,
    tools: api.tools,
    tokens: api.tokens,
    audit: api.audit,
    webhooks: api.webhooks,
    repos: api.repos,
    packages: api.packages,
    tags: api.tags,
    versions: api.versions,
    rules: api.rules,
    quarantine: api.quarantine,
    drafts: api.drafts,
    entries: api.entries,
    uploads: api.uploads,
    capabilities: api.capabilities,
    system,
    ...transfers,
    events: (runId, eventsOptions = {}) => readEvents(daemon, open('false'), runId, eventsOptions),
    follow: (runId, followOptions = {}) => follow(daemon, runId, followOptions),
    wait: (runId, waitOptions = {}) => waitForRun(client, runId, waitOptions),
    run: async (tool, input, { idempotencyKey, priority, ...waiting } = {}) => {
      const { body } = await api.runs.submit(
        {
          body: { tool, input, ...(priority !== undefined && { priority }) },
          ...(idempotencyKey !== undefined && { headers: { [idempotencyKeyHeader]: idempotencyKey } }),
        },
        waiting.signal === undefined ? {} : { signal: waiting.signal },
      );
      return await client.wait(body.runId, waiting);
    },
  };
  return client;
}

/** Whether an answer has the shape the contract gives it; what the contract does not know is none of ours. */
function hasShapeOf(path: readonly string[], answer: unknown): boolean {
  const [group = '', name] = path;
  const found: unknown = Object.entries(contract).find(([key]) => key === group)?.[1];
  const procedure = name === undefined || !isRecord(found) ? found : found[name];
  if (!isContractProcedure(procedure)) return false;
  const { outputSchema } = procedure['~orpc'];
  return outputSchema instanceof z.ZodType && fits(outputSchema, answer);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function notJson(path: readonly string[], cause?: unknown): WaybillError {
  return new WaybillError('response_invalid', `this is not the answer of a Waybill daemon to ${path.join('.')}`, {
    hint: 'Check the address, and what stands between you and the daemon; both should have the same version.',
    cause,
  });
}
