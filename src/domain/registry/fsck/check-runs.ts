import type { Receipt } from '../../../contract/evidence.ts';
import { isId } from '../../../contract/ids.ts';
import { parseReceipt } from '../../runs/steps/receipt.ts';
import { readable } from './check-numbers.ts';
import type { Inspection } from './inspection.ts';

const pageSize = 500;

/** The artifacts and outputs of all receipts, and the lists of all trees, are there. Whether runs verify is `verify`'s. */
export async function checkRuns(inspection: Inspection): Promise<void> {
  await checkReceipts(inspection);
  await checkTrees(inspection);
}

async function checkReceipts(inspection: Inspection): Promise<void> {
  const { store, blobs } = inspection.registry;
  for (let after = 0; !inspection.stopped; ) {
    const rows = await store.read(({ db }) =>
      db
        .selectFrom('receipt')
        .select(['id', 'run', readable('number').as('number'), 'body'])
        .where('id', '>', after)
        .orderBy('id')
        .limit(pageSize)
        .execute(),
    );
    for (const { id, run, number, body } of rows) {
      after = Number(id);
      const receipt = readReceipt(body);
      if (receipt === null) {
        inspection.found('row_unreadable', `receipt ${number ?? id} of ${run}`, 'its body is no receipt');
        continue;
      }
      const { artifacts, outputsBlob } = receipt;
      const named = artifacts.map(({ path, digest }) => ({ what: path, digest }));
      if (outputsBlob !== undefined) named.push({ what: 'the outputs', digest: outputsBlob.blob });
      for (const { what, digest } of named) {
        if (isId('digest', digest) && (await blobs.has(digest))) continue;
        // Retention may have removed the run, and a collector its bytes, since we read it.
        const here = await store.read(({ db }) =>
          db.selectFrom('receipt').select('id').where('id', '=', id).executeTakeFirst(),
        );
        if (here === undefined) break;
        inspection.found('run_blob_missing', `${what} of receipt ${number} of ${run}`, `no bytes under ${digest}`);
      }
    }
    inspection.looked('receipts', rows.length);
    if (rows.length < pageSize) return;
  }
}

function readReceipt(body: string): Receipt | null {
  try {
    return parseReceipt(body);
  } catch {
    return null;
  }
}

async function checkTrees(inspection: Inspection): Promise<void> {
  const { store, blobs } = inspection.registry;
  for (let after = ''; !inspection.stopped; ) {
    const rows = await store.read(({ db }) =>
      db
        .selectFrom('snapshot')
        .select(['digest', 'id', 'manifest'])
        .where('digest', '>', after)
        .orderBy('digest')
        .limit(pageSize)
        .execute(),
    );
    for (const { digest, id, manifest } of rows) {
      after = digest;
      if (isId('digest', manifest) && (await blobs.has(manifest))) continue;
      const here = await store.read(({ db }) =>
        db.selectFrom('snapshot').select('id').where('digest', '=', digest).executeTakeFirst(),
      );
      if (here !== undefined) inspection.found('tree_missing', id, `no bytes under ${manifest}`);
    }
    inspection.looked('trees', rows.length);
    if (rows.length < pageSize) return;
  }
}
