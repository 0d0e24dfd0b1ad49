import { z } from 'zod';
import { WaybillError } from '../../../contract/errors.ts';
import type { RunState } from '../../../contract/evidence.ts';
import { isId, type RunId } from '../../../contract/ids.ts';
import { chainStart } from '../../../platform/chain/chain.ts';
import { parseDigest } from '../../../platform/digests/digest.ts';
import type { BlobPort } from '../ports.ts';
import { type Looking, showRun } from '../show-run.ts';
import { isTerminal } from '../states.ts';
import { Broken } from './broken-link.ts';
import type { EventText, EvidenceSource, Kept, ReceiptText } from './evidence-source.ts';

const pageSize = 500;

/** The evidence of a run as the store and the blobs hold it. @throws WaybillError `run_not_found` */
export async function storeSource(
  engine: Looking & { readonly blobs: BlobPort },
  runId: RunId,
): Promise<EvidenceSource> {
  const run = await readRun(engine, runId);
  const { store } = engine;
  return {
    run,
    events: () => eventTexts(engine, run),
    receipt: receiptReader(engine, runId),
    receiptCount: async () => {
      const { count } = await store.read((tx) =>
        tx.db
          .selectFrom('receipt')
          .select((each) => each.fn.countAll<number | string>().as('count'))
          .where('run', '=', runId)
          .executeTakeFirstOrThrow(),
      );
      return Number(count);
    },
    sharedReceipts: () => sharedReceipts(engine, runId),
    input: async () => {
      const row = await store.read((tx) =>
        tx.db.selectFrom('run_input').select('input').where('run', '=', runId).executeTakeFirst(),
      );
      return row?.input ?? 'missing';
    },
    manifest: async (tree, bytes) => {
      const digest = bytes ?? (await manifestOf(engine, tree));
      const content = digest === undefined ? 'missing' : await blobOf(engine.blobs, digest);
      return typeof content === 'string' ? content : Buffer.from(content).toString('utf8');
    },
    blob: (digest) => blobOf(engine.blobs, digest),
  };
}

async function readRun(engine: Looking, runId: RunId): Promise<RunState> {
  try {
    return await showRun(engine, runId);
  } catch (error) {
    if (!(error instanceof WaybillError) || error.code !== 'store_corrupt') throw error;
    throw new Broken('run', 'the row of the run', 'what its format says', error.message);
  }
}

/** All events for a finished run; for a living one those up to the head its state was read with. */
async function* eventTexts({ store }: Looking, run: RunState): AsyncGenerator<EventText> {
  const end = isTerminal(run.state) ? Number.MAX_SAFE_INTEGER : run.lastSeq;
  let previous: string = chainStart;
  for (let after = 0; ; ) {
    const rows = await store.read((tx) =>
      tx.db
        .selectFrom('run_event')
        .select(['seq', 'type', 'body', 'digest'])
        .where('run', '=', run.runId)
        .where('seq', '>', after)
        .where('seq', '<=', end)
        .orderBy('seq')
        .limit(pageSize)
        .execute(),
    );
    for (const { seq, type, body, digest } of rows) {
      yield { text: body, previous, digest, copies: { seq, type } };
      previous = digest;
      after = seq;
    }
    if (rows.length < pageSize) return;
  }
}

/** Reads receipts a page at a time: a ledger asks for them in the order of their numbers. */
function receiptReader({ store }: Looking, runId: RunId): (number: number) => Promise<Kept<ReceiptText>> {
  let page = new Map<number, ReceiptText>();
  return async (number) => {
    const known = page.get(number);
    if (known !== undefined) return known;
    const rows = await store.read((tx) =>
      tx.db
        .selectFrom('receipt')
        .selectAll()
        .where('run', '=', runId)
        .where('number', '>=', number)
        .orderBy('number')
        .limit(pageSize)
        .execute(),
    );
    page = new Map(
      rows.map(({ body, idempotency_key, name, outcome, digest, ...row }) => [
        row.number,
        { text: body, copies: { number: row.number, idempotencyKey: idempotency_key, name, outcome, digest } },
      ]),
    );
    return page.get(number) ?? 'missing';
  };
}

async function* sharedReceipts({ store }: Looking, runId: RunId): AsyncGenerator<ReceiptText> {
  const rows = await store.read((tx) =>
    tx.db
      .selectFrom('shared_receipt')
      .leftJoin('receipt', (join) =>
        join
          .onRef('receipt.run', '=', 'shared_receipt.origin_run')
          .onRef('receipt.number', '=', 'shared_receipt.number'),
      )
      .select([
        'shared_receipt.origin_run',
        'shared_receipt.number',
        'body',
        'digest',
        'name',
        'outcome',
        'idempotency_key',
      ])
      .where('shared_receipt.run', '=', runId)
      .orderBy('shared_receipt.origin_run')
      .orderBy('shared_receipt.number')
      .execute(),
  );
  for (const { origin_run, number, body, digest, name, outcome, idempotency_key } of rows) {
    if (body === null || digest === null || name === null || outcome === null || idempotency_key === null) {
      throw new Broken('receipt', `receipt ${number} of ${origin_run}`, 'a shared receipt', 'none');
    }
    const copies = { number, idempotencyKey: idempotency_key, name, outcome, digest };
    yield { text: body, copies, named: await namedBy({ store }, origin_run, number) };
  }
}

/** The digest by which the ledger of another run names one of its receipts; undefined when that ledger is not here. */
async function namedBy({ store }: Pick<Looking, 'store'>, run: string, number: number): Promise<string | undefined> {
  const rows = await store.read((tx) =>
    tx.db
      .selectFrom('run_event')
      .select('body')
      .where('run', '=', run)
      .where('type', 'in', ['step.succeeded', 'step.failed'])
      .orderBy('seq')
      .offset(number - 1)
      .limit(1)
      .execute(),
  );
  return rows[0] === undefined ? undefined : closingBody.parse(JSON.parse(rows[0].body)).data.receipt;
}

const closingBody = z.looseObject({ data: z.looseObject({ receipt: z.string() }) });

/** The digest of the manifest that is kept of a tree: any that was captured first, for the same files. */
async function manifestOf({ store }: Pick<Looking, 'store'>, tree: string): Promise<string | undefined> {
  const row = await store.read((tx) =>
    tx.db.selectFrom('snapshot').select('manifest').where('digest', '=', tree).executeTakeFirst(),
  );
  return row?.manifest;
}

async function blobOf(blobs: BlobPort, digest: string): Promise<Kept<Uint8Array>> {
  if (!isId('digest', digest)) return 'missing';
  try {
    return await blobs.get(parseDigest(digest));
  } catch (error) {
    if (!(error instanceof WaybillError)) throw error;
    if (error.code === 'blob_missing') return 'missing';
    if (error.code === 'blob_corrupt') throw new Broken('blob', digest, digest, 'other bytes');
    throw error;
  }
}
