import type { Readiness } from '../../contract/api/system.ts';
import type { Configuration } from '../../contract/configuration.ts';
import type { Registry } from '../../domain/registry/registry.ts';
import type { Engine } from '../../domain/runs/engine.ts';
import type { SubmitRequest, Submitted } from '../../domain/runs/queue/submit-run.ts';
import type { Tokens } from '../../domain/workspace/tokens/tokens.ts';
import type { ToolCatalog } from '../../domain/workspace/tools/tool-catalog.ts';
import type { Webhooks } from '../../domain/workspace/webhooks/webhooks.ts';
import type { Workspace } from '../../domain/workspace/workspace.ts';
import type { SpanSink } from '../../platform/correlation/span.ts';
import type { ErrorCapture } from '../../platform/envelopes/capture.ts';

/** All the HTTP surface works with; `serve` builds it, tests build their own. */
export interface HttpParts {
  readonly engine: Engine;
  readonly workspace: Workspace;
  readonly configuration: Configuration;
  readonly tools: ToolCatalog;
  readonly tokens: Tokens;
  readonly registry: Registry;
  readonly webhooks: Webhooks;
  /** Makes the run durable and wakes the worker. */
  readonly submit: (request: SubmitRequest) => Promise<Submitted>;
  readonly readiness: () => Promise<Readiness>;
  /** What the worker of this process does now. */
  readonly worker: () => { readonly held: number; readonly draining: boolean };
  readonly errors: ErrorCapture;
  readonly spans: SpanSink;
  readonly version: string;
}

/** Where to listen; at least one of the two. */
export interface ListenOptions {
  /** Path of a Unix socket, made with mode 0600. */
  readonly socket: string | null;
  /** A port on 127.0.0.1; 0 takes any free one. */
  readonly port: number | null;
}

export interface HttpServer {
  /** `http://127.0.0.1:PORT`; null when it listens on a socket only. */
  readonly url: string | null;
  readonly socket: string | null;
  /** Answers no new request, ends streams with the reason `drain`, lets answers under way finish for `graceMs`. */
  close(graceMs: number): Promise<void>;
}
