import { parseId } from '../../../contract/ids.ts';
import { formatTime } from '../../../platform/clock/clock.ts';
import { parseDigest } from '../../../platform/digests/digest.ts';
import { listedVersionView } from '../../../views/registry.ts';
import type { HttpParts } from '../http-parts.ts';
import { api } from '../request-context.ts';
import { inBody } from './in-body.ts';

/** What asks the query builder is loaded when it is first asked for, so that a start need not pay for it. */
export function draftHandlers({ registry }: Pick<HttpParts, 'registry'>) {
  return {
    create: api.drafts.create.handler(async ({ input: { params, body }, context }) => {
      const { createDraft } = await import('../../../domain/registry/drafts/create-draft.ts');
      const { repoKey: repo } = params;
      const { type, name, version, run, entries = [] } = body;
      const wanted = {
        repo,
        type,
        name,
        version,
        run: run === undefined ? null : parseId('run', run),
        entries: entries.map((entry) => ({ ...entry, digest: parseDigest(entry.digest) })),
      };
      const made = await inBody(createDraft(registry, wanted, context.caller.actor));
      const { versionId, reusedDraft, expiresAt, changed } = made;
      const until = expiresAt === null ? null : formatTime(expiresAt);
      return {
        status: reusedDraft ? (200 as const) : (201 as const),
        headers: { location: `/v1/repos/${repo}/packages/versions/${versionId}` },
        body: { versionId, repo, type, name, version, state: 'draft' as const, reusedDraft, expiresAt: until, changed },
      };
    }),

    list: api.drafts.list.handler(async ({ input: { params, query } }) => {
      const { listDrafts } = await import('../../../domain/registry/drafts/list-drafts.ts');
      const { drafts, nextCursor } = await listDrafts(registry, { repo: params.repoKey, ...query });
      return { drafts: drafts.map(listedVersionView), nextCursor };
    }),

    delete: api.drafts.delete.handler(async ({ input: { params }, context }) => {
      const { deleteDraft } = await import('../../../domain/registry/drafts/remove-draft.ts');
      const { repoKey: repo, versionId } = params;
      await deleteDraft(registry, { repo, versionId }, context.caller.actor);
      return { versionId };
    }),
  };
}

export function entryHandlers({ registry }: Pick<HttpParts, 'registry'>) {
  return {
    list: api.entries.list.handler(async ({ input: { params, query } }) => {
      const { listEntries } = await import('../../../domain/registry/entries/list-entries.ts');
      const { repoKey: repo, versionId } = params;
      const { entries, nextCursor } = await listEntries(registry, { repo, versionId, ...query });
      return { entries: entries.map((entry) => ({ ...entry })), nextCursor };
    }),

    add: api.entries.add.handler(async ({ input: { params, body }, context }) => {
      const { addEntries } = await import('../../../domain/registry/entries/add-entries.ts');
      const { repoKey: repo, versionId } = params;
      const entries = body.entries.map((entry) => ({ ...entry, digest: parseDigest(entry.digest) }));
      const answer = await inBody(addEntries(registry, { repo, versionId, entries }, context.caller.actor));
      const { added, replaced, unchanged, count } = answer;
      return { changed: added + replaced, added, replaced, unchanged, count };
    }),

    remove: api.entries.remove.handler(async ({ input: { params }, context }) => {
      const { removeEntry } = await import('../../../domain/registry/entries/remove-entry.ts');
      const { repoKey: repo, versionId, path } = params;
      return { ...(await removeEntry(registry, { repo, versionId, path }, context.caller.actor)) };
    }),
  };
}
