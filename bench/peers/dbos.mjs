// DBOS on PostgreSQL with fsync on: a workflow of three function steps, called directly, which is its fastest way.
import { readFileSync } from 'node:fs';
import { DBOS } from '@dbos-inc/dbos-sdk';
import pg from 'pg';
import { measure, readLoad, report } from './measure.mjs';

const load = readLoad();
const pool = 20;
DBOS.setConfig({
  name: 'bench',
  systemDatabaseUrl: load.database,
  systemDatabasePoolSize: pool,
  logLevel: 'error',
});
const workflow = DBOS.registerWorkflow(
  async (n) => {
    const a = await DBOS.runStep(async () => n + 1, { name: 'one' });
    const b = await DBOS.runStep(async () => a * 2, { name: 'two' });
    return DBOS.runStep(async () => b - 3, { name: 'three' });
  },
  { name: 'threeSteps' },
);
await DBOS.launch();
const result = await measure(load, (n) => workflow(n));

const client = new pg.Client({ connectionString: load.database });
await client.connect();
const ask = async (sql) => Object.values((await client.query(sql)).rows[0])[0];
const stored = Number(await ask("SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'"));
if (stored !== result.runs) throw new Error(`${stored} runs stored of ${result.runs}`);
const settings = `PostgreSQL ${await ask('SHOW server_version')}, fsync=${await ask('SHOW fsync')}, synchronous_commit=${await ask('SHOW synchronous_commit')}, pool of ${pool}`;
await client.end();
const version = JSON.parse(
  readFileSync(new URL('node_modules/@dbos-inc/dbos-sdk/package.json', import.meta.url), 'utf8'),
).version;
report({ ...result, version, settings });
process.exit(0);
