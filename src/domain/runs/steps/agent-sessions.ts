import { WaybillError } from '../../../contract/errors.ts';
import type { RunId } from '../../../contract/ids.ts';
import { canonicalJson } from '../../../platform/canonical-json/canonical-json.ts';
import { currentTraceparent } from '../../../platform/correlation/correlation.ts';
import { makeWellFormed } from '../../../platform/files/make-well-formed.ts';
import { randomHex } from '../../../platform/ids/make-id.ts';
import type { OperationStatement } from '../../../platform/store/store.ts';
import type { Engine } from '../engine.ts';
import type { EventDraft } from '../ledger/event-body.ts';
import type { LedgerWriter } from '../ledger/ledger-writer.ts';
import * as statements from '../ledger/statements.ts';
import type { AgentNote, AgentSession, AgentSettings, KillReport, ProcessIdentity } from '../ports.ts';

interface Open {
  readonly session: AgentSession;
  readonly settings: AgentSettings;
  readonly marker: string;
  /** Of the transport `exec`, known from its command on; of a function, never. */
  identity: ProcessIdentity | null;
  /** Where notes of the running command go. */
  onNote: ((note: AgentNote) => Promise<void>) | null;
}

export interface Lease {
  readonly session: AgentSession;
  /** Gives the session back; one that is no longer usable is ended. */
  release(): Promise<void>;
}

/** The agent processes of one execution: started when first needed, kept between steps, one command at a time each. */
export class AgentSessions {
  readonly #engine: Engine;
  readonly #runId: RunId;
  readonly #ledger: LedgerWriter;
  readonly #idle = new Map<string, Open[]>();
  readonly #all = new Set<Open>();
  readonly #opening = new Set<Promise<Open>>();

  constructor(engine: Engine, runId: RunId, ledger: LedgerWriter) {
    this.#engine = engine;
    this.#runId = runId;
    this.#ledger = ledger;
  }

  /** @throws WaybillError `agent_not_found`, naming those the configuration knows. */
  settings(agent: string): AgentSettings {
    const settings = this.#engine.agentSettings.get(agent);
    if (settings !== undefined) return settings;
    const known = [...this.#engine.agentSettings.keys()].join(', ') || 'none';
    throw new WaybillError('agent_not_found', `the configuration has no agent "${agent}" (it has: ${known})`, {
      hint: 'Add it under `agents` in waybill.config.ts.',
    });
  }

  /**
   * A session with this agent that nobody else uses; started, its process durable and greeted, when none is idle.
   * @param signal ends one that is being started
   */
  async acquire(agent: string, onNote: (note: AgentNote) => Promise<void>, signal: AbortSignal): Promise<Lease> {
    const settings = this.settings(agent);
    const idle = this.#idle.get(agent) ?? [];
    for (let open = idle.pop(); open !== undefined; open = idle.pop()) {
      if (open.session.usable) return this.#lease(open, idle, onNote);
      await this.#end(open);
    }
    this.#idle.set(agent, idle);
    const opening = this.#open(settings, onNote, signal);
    this.#opening.add(opening);
    try {
      return this.#lease(await opening, idle, onNote);
    } finally {
      this.#opening.delete(opening);
    }
  }

  /**
   * Ends all sessions; resolves when nothing of them is left.
   * @throws what one of them could not record, after all are ended
   */
  async closeAll(): Promise<readonly KillReport[]> {
    this.#idle.clear();
    await Promise.allSettled(this.#opening);
    const ended = await Promise.allSettled([...this.#all].map((open) => this.#end(open)));
    return ended.map((each) => {
      if (each.status === 'rejected') throw each.reason;
      return each.value;
    });
  }

  #lease(open: Open, idle: Open[], onNote: (note: AgentNote) => Promise<void>): Lease {
    open.onNote = onNote;
    return {
      session: open.session,
      release: async () => {
        open.onNote = null;
        // A program that runs once for each command has nothing to keep, and its next process needs its own record.
        if (open.session.usable && open.settings.transport !== 'exec') idle.push(open);
        else await this.#end(open);
      },
    };
  }

  async #open(settings: AgentSettings, onNote: (note: AgentNote) => Promise<void>, signal: AbortSignal): Promise<Open> {
    const marker = `${this.#runId}.${randomHex(8)}`;
    const state: { identity: ProcessIdentity | null; open: Open | null } = { identity: null, open: null };
    const session = await this.#engine.agents
      .open(settings, {
        runId: this.#runId,
        workspaceRoot: this.#engine.workspace.root,
        marker,
        traceparent: currentTraceparent(),
        signal,
        onProcess: async (identity) => {
          state.identity = identity;
          if (state.open !== null) state.open.identity = identity;
          await this.#ledger.append(processStarted(this.#runId, settings.name, identity, this.#engine.clock.now()));
        },
        onNote: async (note) => {
          const to = state.open === null ? onNote : state.open.onNote;
          await to?.(note);
        },
      })
      .catch(async (error: unknown) => {
        // The agent room ends what it started before it rejects; the record of the process goes too.
        if (state.identity !== null) await this.#ledger.append({ events: [], also: [forget(marker)] });
        throw error;
      });
    const open: Open = { session, settings, marker, identity: state.identity, onNote };
    state.open = open;
    this.#all.add(open);
    const { dedupe } = session.agent;
    // An agent says of itself what it likes; secrets it says there are taken out like all others.
    const [name, version] = [session.agent.name, session.agent.version].map(
      (text) => this.#engine.redact.text(makeWellFormed(text).value).text,
    );
    await this.#ledger.append({
      events: [{ type: 'agent.hello', data: { agent: settings.name, name, version, dedupe } }],
    });
    return open;
  }

  async #end(open: Open): Promise<KillReport> {
    this.#all.delete(open);
    const report = await open.session.close(open.settings.graceMs);
    if (open.identity !== null) {
      await this.#ledger.append({
        events: [processEnded(open.settings.name, open.identity, report)],
        also: [forget(open.marker)],
      });
    }
    return report;
  }
}

/** The record of a process that exists and has not begun its program. */
export function processStarted(
  run: RunId,
  what: string,
  identity: ProcessIdentity,
  now: number,
): { events: EventDraft[]; also: OperationStatement[] } {
  return {
    events: [{ type: 'process.started', data: { what, ...identity } }],
    also: [{ sql: statements.insertProcess, rows: [[identity.marker, run, canonicalJson(identity), now]] }],
  };
}

export function processEnded(what: string, identity: ProcessIdentity, report: KillReport): EventDraft {
  return { type: 'process.ended', data: { what, pid: identity.pid, marker: identity.marker, ...report } };
}

export function forget(marker: string): OperationStatement {
  return { sql: statements.deleteProcess, rows: [[marker]] };
}
