import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { AnyWorkflow } from '../src/contract/workflow.ts';
import type { Engine } from '../src/domain/runs/engine.ts';
import { LeaseKeeper } from '../src/domain/runs/lease/lease-keeper.ts';
import { runMigrations } from '../src/domain/runs/migrations.ts';
import { createHost } from '../src/executors/processes/host.ts';
import { createSnapshotPort } from '../src/executors/snapshots/snapshot-port.ts';
import { createFolderBlobs } from '../src/platform/blobs/folder-blobs.ts';
import { systemClock } from '../src/platform/clock/clock.ts';
import { envelopeMigrations } from '../src/platform/envelopes/migrations.ts';
import { journalMigrations } from '../src/platform/journal/migrations.ts';
import { createRedactor } from '../src/platform/redaction/redactor.ts';
import { openSqliteStore } from '../src/platform/store/sqlite/open.ts';

/** The engine as the program runs it, on SQLite in `folder`, for workflows of function steps; `tree` is its workspace. */
export async function openEngine(
  folder: string,
  workflows: readonly AnyWorkflow[],
  tree = folder,
): Promise<Engine & { readonly file: string }> {
  mkdirSync(join(folder, 'blobs'), { recursive: true });
  const file = join(folder, 'waybill.db');
  const migrations = [...journalMigrations(), ...runMigrations(), ...envelopeMigrations()];
  const store = await openSqliteStore({ path: file, migrations });
  const absent = (): never => {
    throw new Error('a workflow of function steps needs none of this');
  };
  const unknown = { known: false, reason: 'not asked' } as const;
  return {
    file,
    store,
    clock: systemClock,
    host: createHost(),
    processes: { containment: { how: 'swept', means: 'none needed' }, start: absent, killLeftovers: absent },
    commands: { run: absent },
    agents: { open: absent },
    snapshots: createSnapshotPort({ cacheFile: join(folder, 'tree-cache'), clock: systemClock }),
    checkout: {
      facts: async () => {
        const readAt = systemClock.now();
        return { name: unknown, remote: unknown, commit: unknown, branch: unknown, dirty: unknown, readAt };
      },
    },
    tools: { find: absent },
    hostHash: null,
    blobs: createFolderBlobs(join(folder, 'blobs')),
    redact: createRedactor('ledger'),
    environment: absent,
    leases: new LeaseKeeper(store, systemClock),
    workspace: { root: tree, configDigest: null, snapshot: { include: [], exclude: [] } },
    agentSettings: new Map(),
    workflows: new Map(workflows.map((workflow) => [workflow.name, workflow])),
    versions: { waybill: 'bench' },
    report: (failure) => Promise.reject(new Error(`a run failed: ${JSON.stringify(failure)}`)),
  };
}
