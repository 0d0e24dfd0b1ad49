import type { Configuration } from '../../contract/configuration.ts';
import { parseId, type RunId } from '../../contract/ids.ts';
import type { JsonValue } from '../../contract/json.ts';
import type { Registry } from '../../domain/registry/registry.ts';
import type { Releases } from '../../domain/registry/release/releases.ts';
import type { Engine } from '../../domain/runs/engine.ts';
import { followEvents } from '../../domain/runs/ledger/follow-events.ts';
import { parseEvent, readEvents } from '../../domain/runs/ledger/read-events.ts';
import type { SubmitRequest } from '../../domain/runs/queue/submit-run.ts';
import { requestRun } from '../../domain/runs/requests.ts';
import type { RetentionReport } from '../../domain/runs/retention/retention-report.ts';
import { type HeldRun, Runs } from '../../domain/runs/runs.ts';
import { listReceipts, showReceipt, showRun } from '../../domain/runs/show-run.ts';
import type { ToolCatalog } from '../../domain/workspace/tools/tool-catalog.ts';
import type { Webhooks } from '../../domain/workspace/webhooks/webhooks.ts';
import type { Workspace } from '../../domain/workspace/workspace.ts';
import type { OwnProgram, RunInHand, StartRun, SubmitRun } from './program.ts';
import { removedMeanwhile } from './removed-meanwhile.ts';

/** Keeps the evidence files of live runs up to date; a worker of the running program. */
export interface EvidenceFiles {
  follow(runId: RunId): void;
  /** Resolves when the files of a run say all that the store says. */
  finish(runId: RunId): Promise<void>;
}

export interface RunsProgramParts {
  readonly engine: Engine;
  readonly actor: string;
  readonly configuration: Configuration;
  readonly workspace: Workspace;
  readonly tools: ToolCatalog;
  readonly evidence: EvidenceFiles;
  /** Bundles and files, which need rooms a surface does not know. */
  readonly papers: Pick<OwnProgram, 'exportRun' | 'importBundle' | 'verifyRun'>;
  readonly registry: () => Promise<Registry>;
  readonly webhooks: () => Promise<Webhooks>;
  readonly relayWebhooks: OwnProgram['relayWebhooks'];
  readonly releases: () => Promise<Releases>;
  readonly runRetention: (request: { readonly dryRun: boolean }) => Promise<RetentionReport>;
  readonly close: () => Promise<void>;
}

/** The commands' view of the engine of one workspace. */
export function createRunsProgram(parts: RunsProgramParts): OwnProgram {
  const { engine, actor, papers, tools } = parts;
  const tokens = async () =>
    (await import('../../domain/workspace/tokens/open-tokens.ts')).openTokens(engine.store, engine.clock);
  const runs = new Runs(engine);
  const hand = (held: HeldRun, how: RunInHand['how'], since: number) => inHand(parts, runs, held, how, since);
  return {
    startRun: async (request) => {
      const { workflow, tasks, key } = request;
      const input = await inputOf(parts, request);
      const held = await runs.start({
        workflow,
        tasks,
        input,
        actor,
        ...(key === null ? {} : { idempotencyKey: key }),
      });
      return hand(held, held.created ? 'created' : 'existing', 0);
    },
    startSubmitted: async (request) => {
      const { submitRun } = await import('../../domain/runs/queue/submit-run.ts');
      const { maxQueue } = parts.configuration.daemon;
      const submitted = await submitRun(engine, { maxQueue }, await submitRequest(parts, request), { hold: true });
      const { runId, claimed } = submitted;
      if (claimed === null) return hand({ runId, created: false, outcome: null }, 'existing', 0);
      return hand(await runs.work(claimed), 'created', 0);
    },
    resumeRun: async (text, { retryFailed, acceptDrift }) => {
      const runId = parseId('run', text);
      const before = await showRun(engine, runId);
      if (retryFailed !== null) {
        const held = await runs.retryFailed(runId, { actor, acceptDrift, reason: retryFailed.reason });
        return hand(held, 'created', 0);
      }
      if (before.state === 'succeeded')
        return hand({ runId, created: false, outcome: null }, 'finished', before.lastSeq);
      return hand(await runs.resume(runId, { actor, acceptDrift }), 'resumed', before.lastSeq);
    },
    forkRun: async (text, { from, key, acceptDrift }) => {
      const idempotencyKey = key === null ? {} : { idempotencyKey: key };
      const held = await runs.fork(parseId('run', text), { actor, from, acceptDrift, ...idempotencyKey });
      return hand(held, held.created ? 'created' : 'existing', 0);
    },
    requestRun: async (text, request, key) => {
      const runId = parseId('run', text);
      const { outcome, by } = await requestRun(engine, runId, request, {
        actor,
        ...(key === null ? {} : { idempotencyKey: key }),
      });
      if (parts.configuration.evidence !== 'on-demand') await parts.evidence.finish(runId);
      return { outcome, by };
    },
    listRuns: async (filter) => (await import('../../domain/runs/list-runs.ts')).listRuns(engine, filter),
    showRun: (text) => showRun(engine, parseId('run', text)),
    lookAt: async (text) => {
      const run = await showRun(engine, parseId('run', text));
      // Without a daemon nobody takes up what its holder left.
      return { run, abandoned: run.interrupted };
    },
    receipts: async (text) => (await listReceipts(engine, parseId('run', text))).map((listed) => listed.receipt),
    receipt: async (text, number) => (await showReceipt(engine, parseId('run', text), number)).receipt,
    events: (text, { since, follow, signal }) => events(engine, parseId('run', text), since, follow, signal),
    ...papers,
    registry: async () => ({ registry: await parts.registry(), actor }),
    webhooks: async () => ({ webhooks: await parts.webhooks(), actor }),
    relayWebhooks: parts.relayWebhooks,
    releases: async () => ({ releases: await parts.releases(), actor }),
    runRetention: parts.runRetention,
    listTools: () => tools.list(),
    showTool: (id) => tools.detail(id),
    makeToken: async (wanted) => (await tokens()).make(wanted, actor),
    listTokens: async () => (await tokens()).list(),
    changeRoles: async (id, change) => (await tokens()).changeRoles(id, change, actor),
    revokeToken: async (id) => (await tokens()).revoke(id, actor),
    close: parts.close,
  };
}

async function* events(engine: Engine, runId: RunId, since: number, follow: boolean, signal: AbortSignal | undefined) {
  if (follow) {
    const following = followEvents(engine.store, runId, { since, ...(signal === undefined ? {} : { signal }) });
    let next = await following.next();
    for (; next.done !== true; next = await following.next()) yield parseEvent(next.value);
    if (next.value.why === 'gap') throw removedMeanwhile(runId, next.value.cursor);
    return;
  }
  for (let cursor = since; ; ) {
    const page = await readEvents(engine.store, runId, cursor);
    for (const event of page.events) {
      cursor = event.seq;
      yield parseEvent(event);
    }
    if (!page.more) return;
  }
}

function inHand(parts: RunsProgramParts, runs: Runs, held: HeldRun, how: RunInHand['how'], since: number): RunInHand {
  const { engine, evidence, configuration } = parts;
  const { runId, outcome } = held;
  const files = configuration.evidence !== 'on-demand' && outcome !== null;
  if (files) evidence.follow(runId);
  return {
    runId,
    how,
    since,
    finished: (async () => {
      try {
        await outcome;
      } finally {
        if (files) await evidence.finish(runId);
      }
      return showRun(engine, runId);
    })(),
    // What comes of it is in the outcome.
    stop: (signal) => void runs.shutdown(signal),
  };
}

/** What a daemon makes of the same request. */
async function submitRequest(parts: RunsProgramParts, request: SubmitRun): Promise<SubmitRequest> {
  const { whatToRun } = await import('../../domain/workspace/what-to-run.ts');
  const { what, tasks, priority, key, input } = request;
  const rest = { tasks, priority, actor: parts.actor, ...(key === null ? {} : { idempotencyKey: key }) };
  return { ...rest, ...(await whatToRun(parts, { ...what, input, tasks })) };
}

/** Workflows bring their own input, but for the built-in `task`. */
async function inputOf(
  { workspace, configuration }: RunsProgramParts,
  request: Pick<StartRun, 'workflow' | 'tasks' | 'input'>,
): Promise<JsonValue> {
  if (request.workflow !== 'task') return request.input;
  const { taskRunInput } = await import('../../domain/workspace/tasks/task-run-input.ts');
  return taskRunInput(workspace, configuration, request.tasks);
}
