import type { TestProject } from 'vitest/node';
import { startPostgres } from './start-postgres.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The socket folder of the one PostgreSQL server of this test run; see `testDatabase`. */
    postgresSocket: string;
  }
}

/** Starts the server of the test run without waiting for it, so that tests that need none lose no time. */
export default function setup(project: TestProject): () => Promise<void> {
  const server = startPostgres();
  project.provide('postgresSocket', server.socket);
  return () => server.stop();
}
