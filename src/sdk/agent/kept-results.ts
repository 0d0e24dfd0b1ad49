import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { artifactClaimSchema } from '../../contract/agent-protocol.ts';
import type { JsonObject } from '../../contract/json.ts';
import type { Artifact } from '../../contract/workflow.ts';
import { claimArtifact } from './claim-artifact.ts';
import { writeDurably } from './durable-write.ts';

/** What a finished command answered. */
export interface KeptResult {
  readonly outputs: JsonObject;
  readonly artifacts: readonly Artifact[];
}

const outputs: z.ZodType<JsonObject> = z.record(z.string(), z.json());
const keptSchema = z.object({ idempotencyKey: z.string(), outputs, artifacts: z.array(artifactClaimSchema) });

/**
 * The memory that makes a repeated command cost nothing: one file for each idempotency key of a run that was answered
 * with success. A result is durable before it is sent, so it cannot be forgotten once somebody has seen it. Another run
 * asks for the same work under the same key when it wants it done anew, so each run has a memory of its own.
 */
export class KeptResults {
  readonly #folder: string;
  readonly #workspace: string;

  /** `runId`: as its command says it, whose shape the schema has checked. */
  constructor(stateFolder: string, workspace: string, runId: string) {
    this.#folder = join(stateFolder, 'results', runId);
    this.#workspace = workspace;
  }

  /** The result kept for this key; nothing when there is none, or when an artifact of it is no longer what it was. */
  async find(idempotencyKey: string): Promise<KeptResult | undefined> {
    const text = await readFile(this.#path(idempotencyKey), 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (text === undefined) return undefined;
    const kept = keptSchema.safeParse(parsedOrNothing(text));
    if (!kept.success || kept.data.idempotencyKey !== idempotencyKey) return undefined;
    for (const artifact of kept.data.artifacts) if (!(await this.#stillThere(artifact))) return undefined;
    return { outputs: kept.data.outputs, artifacts: kept.data.artifacts };
  }

  async keep(idempotencyKey: string, result: KeptResult): Promise<void> {
    await writeDurably(this.#path(idempotencyKey), `${JSON.stringify({ idempotencyKey, ...result })}\n`);
  }

  async #stillThere(artifact: Artifact): Promise<boolean> {
    try {
      const now = await claimArtifact(this.#workspace, artifact.path);
      return now.size === artifact.size && now.digest === artifact.digest;
    } catch {
      // Gone, or no longer readable: then the work is simply done again.
      return false;
    }
  }

  #path(idempotencyKey: string): string {
    // The key's shape is checked with the command: 64 hex digits after its prefix, so no path can be built from it.
    return join(this.#folder, `${idempotencyKey.slice('ik:'.length)}.json`);
  }
}

/** A file somebody damaged holds no result; the work is done again and the file written anew. */
function parsedOrNothing(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
