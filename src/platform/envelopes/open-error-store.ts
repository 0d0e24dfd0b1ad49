import { type Clock, systemClock } from '../clock/clock.ts';
import type { Store } from '../store/store.ts';
import type { FilterColumn } from './error-queries.ts';
import { envelopeStatement } from './error-row.ts';
import type { CountQuery, ErrorQuery, ErrorStore } from './error-store.ts';

/** The error store of one workspace over a database that others may share. */
export function openErrorStore(store: Store, workspaceId: string, clock: Clock = systemClock): ErrorStore {
  const by = async (column: FilterColumn, value: string, query: ErrorQuery = {}) => {
    const { readPage } = await queries();
    return readPage(store, workspaceId, column, value, query);
  };
  const counts = async (column: 'error_class' | 'component', query: CountQuery = {}) => {
    const { readCounts } = await queries();
    return readCounts(store, workspaceId, column, query);
  };
  return {
    workspaceId,
    persist: (envelope) => store.submit({ statements: [envelopeStatement(envelope, clock.now())] }),
    persistBatch: async (envelopes) => (await import('./insert-batch.ts')).insertBatch(store, envelopes, clock.now()),
    find: async (errorId) => (await queries()).find(store, workspaceId, errorId),
    byCorrelation: (id, query) => by('correlation_id', id, query),
    byRun: (id, query) => by('run_id', id, query),
    byDecision: (id, query) => by('decision_id', id, query),
    byComponent: (component, query) => by('component', component, query),
    byClass: (errorClass, query) => by('error_class', errorClass, query),
    byFingerprint: (fingerprint, query) => by('fingerprint', fingerprint, query),
    bySeverity: (severity, query) => by('severity', severity, query),
    countsByClass: (query) => counts('error_class', query),
    countsByComponent: (query) => counts('component', query),
    timeline: async (query) => (await queries()).readTimeline(store, workspaceId, query),
    cleanup: async (request) => (await import('./cleanup.ts')).cleanup(store, workspaceId, clock, request),
  };
}

/** Loaded when something is read: storing an envelope, the common case, needs no query builder and no schema library. */
function queries() {
  return import('./error-queries.ts');
}
