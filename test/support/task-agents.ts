import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkout, program } from './waybill.ts';
import type { WorkspaceOptions } from './workspace.ts';

const fixture = (name: string): string => join(checkout, 'test', 'support', 'fixtures', name);

/** Agents start as often as runs do in these tests; this keeps what they cost small. */
const compileCache = JSON.stringify(join(tmpdir(), 'node-compile-cache'));

/** The command of an agent written in TypeScript for these tests. */
export function nodeAgent(name: string): string {
  return JSON.stringify([process.execPath, fixture(name)]);
}

/** The command of the mock agent with a script of the folder `outside`: an expression for a configuration. */
export function mockAgent(script: string): string {
  return `[${JSON.stringify(program)}, 'mock-agent', '--script', \`\${outside}/${script}\`]`;
}

const complete = (outputs: object) => ({ do: 'complete', outputs });
const script = (action: string, answers: readonly object[]): string =>
  JSON.stringify({ dedupe: true, heartbeatMs: 2000, actions: { [action]: answers.map((each) => [complete(each)]) } });

/**
 * What the workflow `task` needs: a builder that is a program with the SDK, a reviewer and a spec maintainer that are
 * mock agents. The first review and the first spec update ask for changes: the longest way through the loop. The text
 * of the configuration is the same in every workspace, so that equal work has equal keys.
 */
export function taskWorkspace(tasks: readonly string[], options: { readonly loops: boolean }): WorkspaceOptions {
  const asked = options.loops ? [{ verdict: 'changes_requested', findings: ['say why'] }] : [];
  return {
    tasks,
    configuration: `import { defineConfig } from 'waybill';
const outside = process.env.TEST_OUTSIDE;
const quick = { backoffMs: 10, maxBackoffMs: 20, graceMs: 1000 };
const state = (name: string) => ({ TEST_OUTSIDE: outside, WAYBILL_AGENT_STATE: \`\${outside}/state/\${name}\`, NODE_COMPILE_CACHE: ${compileCache} });
export default defineConfig({
  agents: {
    builder: { ...quick, command: ${nodeAgent('worker.ts')}, setEnv: { ...state('builder'), TEST_WORK_MS: '40' } },
    reviewer: { ...quick, command: ${mockAgent('reviewer.json')}, setEnv: state('reviewer') },
    specMaintainer: { ...quick, command: ${mockAgent('spec.json')}, setEnv: state('spec') },
  },
});
`,
    outside: {
      'reviewer.json': script('review', [...asked, { verdict: 'approved' }]),
      'spec.json': script('update_spec', [...asked, { verdict: 'updated' }]),
    },
  };
}
