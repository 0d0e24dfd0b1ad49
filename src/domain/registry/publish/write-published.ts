import { canonicalJson } from '../../../platform/canonical-json/canonical-json.ts';
import type { Micros } from '../../../platform/clock/clock.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import type { AuditRecord } from '../../../platform/journal/audit.ts';
import { commit } from '../../../platform/journal/commit.ts';
import type { WriteTx } from '../../../platform/store/store.ts';
import type { GateStanding } from '../../gates/gate.ts';
import type { Hit } from '../policy/decide.ts';
import { quarantineAtPublish, quarantineRecords } from '../policy/publish-refusals.ts';
import type { VersionRow } from '../version-row.ts';
import type { Found } from './before-publish.ts';
import { publishedEvent } from './published-event.ts';

/** A DSSE envelope, and which key signed it. */
export interface SignedAttestation {
  readonly envelope: string;
  readonly keyId: string;
}

interface Publishing {
  readonly row: VersionRow;
  readonly found: Found;
  readonly standings: readonly GateStanding[];
  /** The rules that let it be published, and hold it back from downloads. */
  readonly hits: readonly Hit[];
  readonly attestation: SignedAttestation | null;
  readonly at: Micros;
  readonly by: string;
}

/** Everything a publish writes, in the transaction that holds the package's row: locked, or made in it. */
export async function writePublished(tx: WriteTx, publishing: Publishing): Promise<void> {
  const { row, found, standings, hits, attestation, at, by } = publishing;
  const { versionId, packageId } = row;
  const seq = row.events + 1;
  const signed = attestation === null ? null : { ...attestation, digest: digestOf(attestation.envelope) };
  const audit: AuditRecord = {
    at,
    actor: by,
    action: 'package.version.published',
    resource: versionId,
    outcome: 'succeeded',
    details: { repo: row.repo, ...found.coordinate, digest: found.digest, entries: found.entries.length },
  };
  await commit(tx, {
    change: async () => {
      if (signed !== null) {
        await tx.db
          .insertInto('version_attestation')
          .values({ version: versionId, envelope: signed.envelope, key_id: signed.keyId, digest: signed.digest })
          .execute();
      }
      await tx.db
        .updateTable('version')
        .set({
          state: 'published',
          digest: found.digest,
          gates: canonicalJson(standings.map(({ gate, evidence }) => ({ gate, evidence }))),
          event_seq: seq,
          expires_at: null,
          published_at: at,
          published_by: by,
        })
        .where('id', '=', versionId)
        .execute();
      await tx.db.updateTable('package').set({ events: seq }).where('id', '=', packageId).execute();
      await quarantineAtPublish(tx, row, hits, at);
    },
    outbox: [publishedEvent({ row, found, seq, attestation: signed, at, by })],
    audit: [audit, ...quarantineRecords(row, hits, { at, by })],
  });
}
