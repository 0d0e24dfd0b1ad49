/** What `waybill init` writes as `waybill.config.ts`: works as it is, and names every setting with its default. */
export const configurationTemplate = `// The configuration of this workspace. \`waybill\` is the running program itself: nothing needs to be installed.
import { defineConfig, defineWorkflow } from 'waybill';

// A workflow is an async function made of steps. Try it: waybill run --workflow hello --input '"you"'
const hello = defineWorkflow('hello', async (run, input) => {
  const greeting = await run.step('greet', { input }, () => \`Hello, \${JSON.stringify(input)}!\`);
  return { greeting };
});

export default defineConfig({
  workflows: [hello],

  // Who does the work of \`waybill run --task T-0001\`: any program that speaks waybill.agent.v1, one JSON object
  // a line. Prove yours with: waybill agents check -- node agents/builder.mjs
  agents: {
    // builder: {
    //   command: ['node', 'agents/builder.mjs'],
    //   // transport: 'stdio',      // 'exec': a plain command, one a step
    //   // allowEnv: ['API_KEY'],   // nothing else of your environment reaches the agent
    //   // setEnv: { MODE: 'careful' },
    //   // deadlineMs: 1_800_000,   // one attempt of a step
    //   // helloTimeoutMs: 10_000,
    //   // heartbeatMs: 10_000,
    //   // missedHeartbeats: 3,
    //   // retries: 2,              // after a failure that may pass, with a random wait up to ...
    //   // backoffMs: 1_000,        // ... this, doubling ...
    //   // maxBackoffMs: 60_000,    // ... up to this
    //   // restarts: 1,             // of a process that died within a step
    //   // graceMs: 5_000,          // between SIGTERM and SIGKILL
    // },
    // reviewer: { command: ['node', 'agents/reviewer.mjs'] },
    // specMaintainer: { command: ['node', 'agents/spec-maintainer.mjs'] },
  },

  // Who plays which part in the built-in workflow \`task\`; unless said, the agent named like the part.
  // roles: { builder: 'builder', reviewer: 'reviewer', specMaintainer: 'specMaintainer' },

  // How many rounds of changes a review may ask for before the run fails.
  // maxIterations: 5,

  // Names of tests that may fail without failing the builder's step.
  // tests: { allowedFailures: [] },

  // Which files a snapshot covers, beyond what git would track (globs).
  // snapshot: { include: [], exclude: [] },

  // 'files': .waybill/runs/ is kept up to date; 'on-demand': only \`waybill export\` writes it. Unless said, a daemon
  // writes on demand, and the command line keeps files.
  // evidence: 'files',

  // 'sqlite' (.waybill/waybill.db), or the address of a PostgreSQL database.
  // store: process.env.WAYBILL_STORE ?? 'sqlite',
  // storeRole: 'waybill_program', // PostgreSQL: works as this role, which owns nothing and can drop no guard

  // Never stored: the values of these environment variables, and texts that match.
  // redact: { env: ['API_KEY'], patterns: [/internal-[a-z0-9]+/] },

  // What \`waybill serve\` allows itself: runs at work and waiting, the time for steps to finish after SIGTERM, ...
  // daemon: { concurrency: 16, maxQueue: 1_000, drainMs: 10_000, heartbeatMs: 15_000, bodyBytes: 16_777_216 },

  // What tools may be given (all, unless said), and how many runs of one may be at work at once.
  // tools: { permissions: ['network'], concurrency: { deploy: 1 } },

  // How long finished runs are kept, by age and by number (null: for ever), and what is known of errors.
  // retention: { runDays: null, runCount: null, envelopeDays: 90 },

  // What must be green before a version is published, and how long is kept what leads to one.
  // registry: { gates: ['run-checks'], draftDays: 14, uploadHours: 24, tombstoneDays: 30, graceHours: 24 },

  // Where news of releases may be sent: hosts in private networks only when they are named here.
  // webhooks: { allowPrivate: [], maxAttempts: 8, timeoutMs: 10_000, backoffMs: 5_000, maxBackoffMs: 3_600_000 },

  // Record a keyed hash of this machine's name with each run.
  // provenance: { hostHash: false },
});
`;

/** What `waybill init` writes as the first task. */
export const taskTemplate = `---
title: Say what should be different when the work is done
# Facts the builder is given besides the text below.
inputs: {}
# Files of the workspace that must exist afterwards.
expectedOutputs: []
# What must hold, whatever the agent says of itself.
checks: []
#  - kind: command
#    name: tests
#    command: [npm, test]
#  - kind: file
#    name: readme
#    path: README.md
---
Describe the goal here, as you would to a colleague: what is wrong or missing, what done looks like, and what must
stay as it is. Run it with: waybill run --task T-0001
`;

/** `.waybill/.gitignore`: of the data only the state a team shares is ever committed. */
export const dataIgnore = `# Waybill's data: everything stays on this machine, but for the state the team shares.
*
!.gitignore
!state.json
`;
