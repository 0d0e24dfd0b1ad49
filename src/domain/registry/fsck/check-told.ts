import { sql } from 'kysely';
import { readable } from './check-numbers.ts';
import { readTold } from './check-versions.ts';
import type { Inspection } from './inspection.ts';

const pageSize = 500;

/** The other way round: what was announced and recorded as published is published. */
export async function checkTold(inspection: Inspection): Promise<void> {
  await checkEvents(inspection);
  await checkRecords(inspection);
  await checkCounts(inspection);
}

async function checkEvents(inspection: Inspection): Promise<void> {
  const { store } = inspection.registry;
  for (let after = 0; !inspection.stopped; ) {
    const rows = await store.read(async ({ db }) => {
      const events = await db
        .selectFrom('outbox')
        .select(['id', 'aggregate', readable('aggregate_seq').as('aggregate_seq'), 'payload'])
        .where('type', '=', 'dev.waybill.version.published')
        .where('id', '>', after)
        .orderBy('id')
        .limit(pageSize)
        .execute();
      const ids = events.flatMap(({ payload }) => readTold(payload)?.versionId ?? []);
      const versions =
        ids.length === 0
          ? []
          : await db
              .selectFrom('version')
              .select(['id', 'digest', readable('event_seq').as('event_seq')])
              .where('id', 'in', ids)
              .execute();
      return { events, versions: new Map(versions.map((row) => [row.id, row])) };
    });
    for (const { id, aggregate, aggregate_seq, payload } of rows.events) {
      const said = readTold(payload);
      const version = said === null ? undefined : rows.versions.get(said.versionId);
      const same =
        version !== undefined &&
        version.digest === said?.digest &&
        version.event_seq === aggregate_seq &&
        aggregate_seq !== null;
      const where = `event ${aggregate}-${aggregate_seq ?? '?'}`;
      if (!same) {
        const of = said === null ? 'it cannot be read' : `it announces ${said.versionId} as ${said.digest}`;
        inspection.found('event_without_version', where, of);
      }
      after = Number(id);
    }
    inspection.looked('events', rows.events.length);
    if (rows.events.length < pageSize) return;
  }
}

async function checkRecords(inspection: Inspection): Promise<void> {
  const { store } = inspection.registry;
  for (let after = 0; !inspection.stopped; ) {
    const rows = await store.read(({ db }) =>
      db
        .selectFrom('audit')
        .leftJoin('version', 'version.id', 'audit.resource')
        .select(['audit.id', 'audit.resource', 'version.state'])
        .where('audit.action', '=', 'package.version.published')
        .where('audit.outcome', '=', 'succeeded')
        .where('audit.id', '>', after)
        .orderBy('audit.id')
        .limit(pageSize)
        .execute(),
    );
    for (const { id, resource, state } of rows) {
      if (state === null || state === 'draft') {
        inspection.found(
          'record_without_version',
          `audit record ${id}`,
          `${resource} is ${state === null ? 'not here' : 'a draft'}`,
        );
      }
      after = Number(id);
    }
    inspection.looked('records of publishes', rows.length);
    if (rows.length < pageSize) return;
  }
}

/** The events of a package are numbered without a gap, from 1 to as many as it counts. */
async function checkCounts(inspection: Inspection): Promise<void> {
  const { store } = inspection.registry;
  for (let after = ''; !inspection.stopped; ) {
    const rows = await store.read(({ db }) =>
      db
        .selectFrom('package')
        .leftJoin('outbox', (join) => join.on('outbox.aggregate', '=', sql<string>`'package:' || package.id`))
        .select(['package.id', readable('package.events').as('events')])
        .select((each) => [
          each.fn.count('outbox.id').as('count'),
          each.fn.max(readable('outbox.aggregate_seq')).as('last'),
        ])
        .where('package.id', '>', after)
        .groupBy(['package.id', 'package.events'])
        .orderBy('package.id')
        .limit(pageSize)
        .execute(),
    );
    for (const row of rows) {
      const [count, last] = [Number(row.count), Number(row.last ?? 0)];
      if (row.events !== null && (count !== row.events || last !== row.events)) {
        inspection.found('event_count', row.id, `it counts ${row.events}; there are ${count}, the last is ${last}`);
      }
      after = row.id;
    }
    inspection.looked('packages', rows.length);
    if (rows.length < pageSize) return;
  }
}
