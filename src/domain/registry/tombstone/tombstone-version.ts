import { WaybillError } from '../../../contract/errors.ts';
import { isId } from '../../../contract/ids.ts';
import { formatTime, type Micros } from '../../../platform/clock/clock.ts';
import { makeWellFormed } from '../../../platform/files/make-well-formed.ts';
import { commit } from '../../../platform/journal/commit.ts';
import { redactText } from '../../../platform/redaction/redactor.ts';
import type { LockedTx } from '../../../platform/store/store.ts';
import { describeVersion, type VersionDescription } from '../packages/describe-version.ts';
import { formatCoordinate } from '../packages/parse-coordinate.ts';
import { packageAggregate } from '../publish/published-event.ts';
import { recordingRefusal } from '../recording-refusal.ts';
import type { Registry } from '../registry.ts';
import { requireRepo } from '../repos/require-repo.ts';
import { versionNotFound } from '../version-not-found.ts';

export interface TombstoneRequest {
  readonly repo: string;
  readonly versionId: string;
  /** For whoever asks for it later. */
  readonly reason: string;
}

export interface Tombstoned {
  readonly version: VersionDescription;
  /** True when it was tombstoned before: nothing was done, no event was told. */
  readonly idempotent: boolean;
}

/**
 * Withdraws a published version, for ever: its coordinate stays taken, its digest and who withdrew it and why stay on
 * record, its tags go, and its bytes after `registry.tombstoneDays`. One transaction, under the lock of its package.
 * @throws WaybillError `repo_not_found`, `version_not_found`, `invalid_transition` for a draft
 */
export function tombstoneVersion(registry: Registry, request: TombstoneRequest, by: string): Promise<Tombstoned> {
  const { repo, versionId } = request;
  const { store, clock } = registry;
  const act = { action: 'package.version.tombstoned', resource: versionId, by, details: { repo } } as const;
  return recordingRefusal(registry, act, async () => {
    const packageId = await store.read(async (tx) => {
      await requireRepo(tx, repo);
      const row = isId('version', versionId)
        ? await tx.db
            .selectFrom('version')
            .select('package')
            .where('id', '=', versionId)
            .where('repo', '=', repo)
            .executeTakeFirst()
        : undefined;
      if (row === undefined) throw versionNotFound(repo, versionId);
      return row.package;
    });
    const done = await store.locked({ table: 'package', key: { id: packageId } }, (tx) =>
      tombstoneLocked(tx, { ...request, packageId, at: clock.now(), by }),
    );
    if (!done.idempotent) store.hints.announce('outbox');
    return done;
  });
}

async function tombstoneLocked(
  tx: LockedTx,
  asked: TombstoneRequest & { readonly packageId: string; readonly at: Micros; readonly by: string },
): Promise<Tombstoned> {
  const { repo, versionId, packageId, at, by } = asked;
  const { db } = tx;
  const version = await describeVersion(tx, repo, versionId);
  if (version.state === 'tombstoned') return { version, idempotent: true };
  if (version.state === 'draft') {
    throw new WaybillError('invalid_transition', `${versionId} is a draft: it is deleted, not tombstoned`, {
      hint: 'Delete the draft.',
    });
  }
  const reason = makeWellFormed(redactText(asked.reason).text).value;
  const { events } = await db
    .selectFrom('package')
    .select('events')
    .where('id', '=', packageId)
    .executeTakeFirstOrThrow();
  const seq = events + 1;
  const { coordinate, digest, tags } = version;
  await commit(tx, {
    change: async () => {
      await db.deleteFrom('tag').where('version', '=', versionId).execute();
      await db
        .updateTable('version')
        .set({ state: 'tombstoned', tombstoned_at: at, tombstoned_by: by, tombstone_reason: reason })
        .where('id', '=', versionId)
        .execute();
      await db.updateTable('package').set({ events: seq }).where('id', '=', packageId).execute();
    },
    outbox: [
      {
        aggregate: packageAggregate(packageId),
        seq,
        type: 'dev.waybill.version.tombstoned',
        at,
        payload: {
          schema: 'waybill.version.tombstoned.v1',
          repo,
          ...coordinate,
          versionId,
          packageId,
          digest,
          reason,
          actor: by,
          tombstonedAt: formatTime(at),
        },
      },
    ],
    audit: [
      {
        at,
        actor: by,
        action: 'package.version.tombstoned',
        resource: versionId,
        outcome: 'succeeded',
        reason,
        details: { repo, coordinate: formatCoordinate(coordinate), digest, tags: [...tags] },
      },
    ],
  });
  return { version: await describeVersion(tx, repo, versionId), idempotent: false };
}
