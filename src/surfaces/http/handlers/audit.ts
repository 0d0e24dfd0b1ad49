import { parseTime } from '../../../platform/clock/parse-time.ts';
import { listAudit } from '../../../platform/journal/list-audit.ts';
import { auditListView } from '../../../views/audit.ts';
import type { HttpParts } from '../http-parts.ts';
import { api } from '../request-context.ts';

export function auditHandlers({ engine }: Pick<HttpParts, 'engine'>) {
  return {
    list: api.audit.list.handler(async ({ input: { query } }) => {
      const { since, until, cursor, ...filter } = query;
      const times = {
        since: since === undefined ? null : parseTime(since),
        until: until === undefined ? null : parseTime(until),
      };
      return auditListView(await listAudit(engine.store, { ...filter, ...times, cursor: cursor ?? null }));
    }),
  };
}
