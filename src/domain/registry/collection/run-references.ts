import { z } from 'zod';
import { snapshotManifestSchema } from '../../../contract/evidence.ts';
import { isId } from '../../../contract/ids.ts';
import type { ReadTx } from '../../../platform/store/store.ts';
import type { Registry } from '../registry.ts';

/** What a pass through the runs looks for; what is found is taken out. */
export interface Wanted {
  /** Digests of bytes. */
  readonly blobs: { delete(digest: string): void; readonly size: number };
  /** Digests of trees whose row in `snapshot` may go. */
  readonly trees: Set<string>;
}

const pageSize = 500;
/** Manifests that were read lately and need not be read again. */
const mostRemembered = 20_000;
const digests = /sha256:[0-9a-f]{64}/g;

/** A page of texts of runs, and where the next one begins. */
interface Page {
  readonly texts: readonly { readonly text: string | null; readonly keepsContent: boolean }[];
  readonly next: string | number | null;
}

type Reader = (tx: ReadTx, after: string | number | null) => Promise<Page>;

/**
 * Takes out of `wanted` everything that any run names, whatever its state: in its events, receipts, input, output,
 * requests and steps under way. Each text is searched for digests as a text: a new field that names bytes is found
 * without anybody thinking of it here, at the price that what is only mentioned is kept too. Of a run that keeps the
 * content of its trees, the files of each tree are named as well.
 *
 * Reads page by page, each in a transaction of its own; what is committed behind the page just read was put lately, and
 * is not wanted.
 */
export async function strikeRunReferences(
  { store, blobs }: Pick<Registry, 'store' | 'blobs'>,
  wanted: Wanted,
  stopped: () => boolean,
): Promise<void> {
  const files = new ContentOfTrees({ store, blobs }, wanted);
  for (const read of readers) {
    for (let after: string | number | null = null; !stopped(); ) {
      if (wanted.blobs.size === 0 && wanted.trees.size === 0) return;
      const from: string | number | null = after;
      const page: Page = await store.read((tx) => read(tx, from));
      for (const { text, keepsContent } of page.texts) {
        for (const [digest] of (text ?? '').matchAll(digests)) {
          wanted.blobs.delete(digest);
          wanted.trees.delete(digest);
          if (keepsContent) files.add(digest);
        }
      }
      await files.strike();
      if (page.next === null) break;
      after = page.next;
    }
  }
}

/** The files of trees whose content is kept. */
class ContentOfTrees {
  readonly #parts: Pick<Registry, 'store' | 'blobs'>;
  readonly #wanted: Wanted;
  readonly #seen = new Set<string>();
  #asked = new Set<string>();

  constructor(parts: Pick<Registry, 'store' | 'blobs'>, wanted: Wanted) {
    this.#parts = parts;
    this.#wanted = wanted;
  }

  /** A digest that may be of a tree. */
  add(digest: string): void {
    if (!this.#seen.has(digest)) this.#asked.add(digest);
  }

  async strike(): Promise<void> {
    const asked = [...this.#asked];
    this.#asked = new Set();
    if (this.#seen.size > mostRemembered) this.#seen.clear();
    for (let at = 0; at < asked.length; at += pageSize) {
      const some = asked.slice(at, at + pageSize);
      for (const digest of some) this.#seen.add(digest);
      const rows = await this.#parts.store.read((tx) =>
        tx.db.selectFrom('snapshot').select('manifest').where('digest', 'in', some).execute(),
      );
      for (const { manifest } of rows) await this.#strikeFilesOf(manifest);
    }
  }

  async #strikeFilesOf(manifest: string): Promise<void> {
    const { blobs } = this.#parts;
    if (!isId('digest', manifest) || !(await blobs.has(manifest))) return;
    const text = Buffer.from(await blobs.get(manifest)).toString('utf8');
    const { files } = snapshotManifestSchema.parse(JSON.parse(text));
    for (const { digest } of files) this.#wanted.blobs.delete(digest);
  }
}

const number = z.coerce.number();
const last = <T>(rows: readonly T[]): T | undefined => (rows.length < pageSize ? undefined : rows.at(-1));

const readers: readonly Reader[] = [
  async (tx, after) => {
    const rows = await tx.db
      .selectFrom('run')
      .select(['id', 'snapshot_mode', 'snapshot_digest', 'tree_digest', 'output', 'reason'])
      .where('id', '>', String(after ?? ''))
      .orderBy('id')
      .limit(pageSize)
      .execute();
    return {
      texts: rows.flatMap(({ snapshot_mode, snapshot_digest, tree_digest, output, reason }) =>
        [snapshot_digest, tree_digest, output, reason].map((text) => ({
          text,
          keepsContent: snapshot_mode === 'content',
        })),
      ),
      next: last(rows)?.id ?? null,
    };
  },
  async (tx, after) => {
    const rows = await tx.db
      .selectFrom('run_event')
      .leftJoin('run', 'run.id', 'run_event.run')
      .select(['run_event.id', 'run_event.body', 'run.snapshot_mode'])
      .where('run_event.id', '>', number.parse(after ?? 0))
      .orderBy('run_event.id')
      .limit(pageSize)
      .execute();
    return { texts: rows.map(bodyText), next: last(rows)?.id ?? null };
  },
  async (tx, after) => {
    const rows = await tx.db
      .selectFrom('receipt')
      .leftJoin('run', 'run.id', 'receipt.run')
      .select(['receipt.id', 'receipt.body', 'run.snapshot_mode'])
      .where('receipt.id', '>', number.parse(after ?? 0))
      .orderBy('receipt.id')
      .limit(pageSize)
      .execute();
    return { texts: rows.map(bodyText), next: last(rows)?.id ?? null };
  },
  async (tx, after) => {
    const rows = await tx.db
      .selectFrom('run_input')
      .select(['run', 'input'])
      .where('run', '>', String(after ?? ''))
      .orderBy('run')
      .limit(pageSize)
      .execute();
    return {
      texts: rows.map(({ input }) => ({ text: input, keepsContent: false })),
      next: last(rows)?.run ?? null,
    };
  },
  async (tx, after) => {
    const rows = await tx.db
      .selectFrom('run_request')
      .select(['id', 'payload'])
      .where('id', '>', String(after ?? ''))
      .orderBy('id')
      .limit(pageSize)
      .execute();
    return {
      texts: rows.map(({ payload }) => ({ text: payload, keepsContent: false })),
      next: last(rows)?.id ?? null,
    };
  },
  async (tx, after) => {
    // By its own key, which is two columns: written as one text, in the order of the index.
    const [run = '', key = ''] = String(after ?? '').split(' ');
    const rows = await tx.db
      .selectFrom('pending_step')
      .innerJoin('run', 'run.id', 'pending_step.run')
      .select(['pending_step.run', 'pending_step.idempotency_key', 'pending_step.body', 'run.snapshot_mode'])
      .where((where) =>
        where.or([
          where('pending_step.run', '>', run),
          where.and([where('pending_step.run', '=', run), where('pending_step.idempotency_key', '>', key)]),
        ]),
      )
      .orderBy('pending_step.run')
      .orderBy('pending_step.idempotency_key')
      .limit(pageSize)
      .execute();
    const end = last(rows);
    return { texts: rows.map(bodyText), next: end === undefined ? null : `${end.run} ${end.idempotency_key}` };
  },
];

function bodyText(row: { readonly body: string; readonly snapshot_mode: string | null }) {
  return { text: row.body, keepsContent: row.snapshot_mode === 'content' };
}
