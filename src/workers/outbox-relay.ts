import { setTimeout as delay } from 'node:timers/promises';
import { claimDeliveries } from '../domain/workspace/webhooks/claim-deliveries.ts';
import { type Delivered, deliver } from '../domain/workspace/webhooks/deliver.ts';
import { handOver } from '../domain/workspace/webhooks/hand-over.ts';
import { liveWebhooks, nextDue } from '../domain/workspace/webhooks/next-due.ts';
import type { RelayReport } from '../domain/workspace/webhooks/relay-report.ts';
import type { Webhook } from '../domain/workspace/webhooks/webhook.ts';
import type { Webhooks } from '../domain/workspace/webhooks/webhooks.ts';

export interface OutboxRelayParts {
  readonly webhooks: Webhooks;
  /** Whose doing a dead delivery is in the audit. */
  readonly actor: string;
  /** Told of a delivery that is dead, and of a pass that failed; the relay goes on. */
  readonly report: (error: unknown) => Promise<unknown>;
  /** Told in one line of webhooks it cannot sign for. */
  readonly log?: (line: string) => void;
}

/** Tries under way at once to one webhook: a slow one keeps no place of another. */
const perWebhook = 4;
/** What a hint did not tell is found within this time. */
const quietMs = 500;
const gatherMs = 20;
/** How long tries under way may take when the relay ends. */
const drainMs = 2_000;

/**
 * Takes events from the outbox to the webhooks for as long as the daemon runs: at least once, in order for each subject
 * and webhook. What an endpoint does not take is tried again with growing pauses and then dead; it keeps no other waiting.
 * Any number of relays may work on one store.
 */
export class OutboxRelay {
  readonly #parts: OutboxRelayParts;
  readonly #ending = new AbortController();
  readonly #cut = new AbortController();
  readonly #under = new Map<string, Set<Promise<void>>>();
  readonly #notSignable = new Set<string>();
  readonly #count = { handedOver: 0, delivered: 0, failed: 0, dead: 0 };
  #changed = Promise.withResolvers<void>();
  #loop: Promise<void> | undefined;

  constructor(parts: OutboxRelayParts) {
    this.#parts = parts;
  }

  get report(): RelayReport {
    return { ...this.#count, notSignable: [...this.#notSignable] };
  }

  start(): void {
    this.#loop ??= this.#work();
  }

  /** Delivers what is due by now and what follows it, and nothing that waits for its time. */
  async once(): Promise<RelayReport> {
    for (;;) {
      const begun = await this.#pass();
      const tries = this.#tries();
      if (begun === 0 && tries.length === 0) return this.report;
      if (tries.length > 0) await Promise.race(tries);
    }
  }

  /** Begins no more tries, and gives those under way a moment; what is cut off is given back and does not count. */
  async close(): Promise<void> {
    this.#ending.abort();
    this.#wake();
    await this.#loop;
    const late = setTimeout(() => this.#cut.abort('stopped'), drainMs);
    await Promise.all(this.#tries());
    clearTimeout(late);
  }

  async #work(): Promise<void> {
    const { webhooks, report } = this.#parts;
    const { signal } = this.#ending;
    using hints = webhooks.store.hints.subscribe('outbox');
    while (!signal.aborted) {
      // What comes to an end during the pass is seen by the next one.
      this.#changed = Promise.withResolvers<void>();
      const changed = this.#changed.promise;
      const wait = new AbortController();
      const stop = () => wait.abort();
      signal.addEventListener('abort', stop, { once: true });
      try {
        await this.#pass();
        void changed.then(stop);
        // On SQLite each commit of another process is a hint: many of them are one pass.
        if (await hints.next(quietMs, wait.signal)) await delay(gatherMs);
      } catch (error) {
        await report(error);
        await hints.next(quietMs * 10, signal);
      } finally {
        signal.removeEventListener('abort', stop);
      }
    }
  }

  /** Hands over what is new and begins what is due. @returns how many tries were begun */
  async #pass(): Promise<number> {
    const { webhooks } = this.#parts;
    this.#count.handedOver += await handOver(webhooks);
    let begun = 0;
    for (const webhook of await liveWebhooks(webhooks)) {
      if (this.#ending.signal.aborted) return begun;
      begun += await this.#begin(webhook);
    }
    return begun;
  }

  async #begin(webhook: Webhook): Promise<number> {
    const { webhooks } = this.#parts;
    const due = await nextDue(webhooks, webhook.id);
    if (due === null || due > webhooks.clock.now()) return 0;
    if (!webhook.signable) {
      this.#sayNotSignable(webhook);
      return 0;
    }
    const under = this.#under.get(webhook.id) ?? new Set();
    this.#under.set(webhook.id, under);
    if (under.size >= perWebhook) return 0;
    const claimed = await claimDeliveries(webhooks, webhook.id, perWebhook - under.size);
    for (const each of claimed) {
      const tried = this.#try(each).finally(() => {
        under.delete(tried);
        this.#wake();
      });
      under.add(tried);
    }
    return claimed.length;
  }

  async #try(claimed: Parameters<typeof deliver>[1]): Promise<void> {
    const { webhooks, actor, report } = this.#parts;
    try {
      const delivered = await deliver(webhooks, claimed, actor, this.#cut.signal);
      this.#note(delivered);
      if (delivered.outcome === 'dead') await report(delivered.error);
    } catch (error) {
      // What came of it could not be written down: it is made again when its claim is over.
      await report(error);
    }
  }

  #note({ outcome }: Delivered): void {
    switch (outcome) {
      case 'delivered':
        this.#count.delivered++;
        return;
      case 'again':
        this.#count.failed++;
        return;
      case 'dead':
        this.#count.dead++;
        return;
      case 'lost':
      case 'given_back':
        return;
      default:
        outcome satisfies never;
    }
  }

  #sayNotSignable({ id }: Webhook): void {
    if (this.#notSignable.has(id)) return;
    this.#notSignable.add(id);
    this.#parts.log?.(`events wait for ${id}: its secret comes from the key of another machine, which must send them`);
  }

  #tries(): Promise<void>[] {
    return [...this.#under.values()].flatMap((tries) => [...tries]);
  }

  #wake(): void {
    this.#changed.resolve();
  }
}
