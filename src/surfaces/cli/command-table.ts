import type { Command } from 'commander';
import type { CliContext } from './cli-context.ts';

/** A file of `commands/`: adds arguments, options, help and the action to its command. */
export interface CommandModule {
  define(command: Command, context: () => CliContext): void;
}

interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  /** Loaded only when this command is the one that was typed: the others cost nothing. */
  readonly load: () => Promise<CommandModule>;
}

export const commandTable: readonly CommandEntry[] = [
  { name: 'init', summary: 'make this folder a workspace', load: () => import('./commands/init.ts') },
  { name: 'run', summary: 'run tasks or a workflow', load: () => import('./commands/run.ts') },
  { name: 'exec', summary: 'run one command as a run of one step', load: () => import('./commands/exec.ts') },
  { name: 'submit', summary: 'give a tool or workflow to the daemon', load: () => import('./commands/submit.ts') },
  { name: 'resume', summary: 'go on with a run, or retry a failed one', load: () => import('./commands/resume.ts') },
  { name: 'serve', summary: 'run the daemon of this workspace', load: () => import('./commands/serve.ts') },
  { name: 'runs', summary: 'list runs, newest first', load: () => import('./commands/runs.ts') },
  { name: 'show', summary: 'show a run, its receipts, or one step', load: () => import('./commands/show.ts') },
  { name: 'events', summary: "print a run's ledger, and follow it", load: () => import('./commands/events.ts') },
  { name: 'wait', summary: 'wait until a run is finished', load: () => import('./commands/wait.ts') },
  { name: 'cancel', summary: 'end a run and all its processes', load: () => import('./commands/cancel.ts') },
  {
    name: 'pause',
    summary: 'let a run come to rest after its current steps',
    load: () => import('./commands/pause.ts'),
  },
  { name: 'approve', summary: 'approve what a run waits for', load: () => import('./commands/approve.ts') },
  { name: 'deny', summary: 'deny what a run waits for', load: () => import('./commands/deny.ts') },
  { name: 'signal', summary: 'send a run the signal it waits for', load: () => import('./commands/signal.ts') },
  { name: 'fork', summary: 'start a new run from a step of another', load: () => import('./commands/fork.ts') },
  {
    name: 'export',
    summary: 'write the evidence of a run, or a release, as files',
    load: () => import('./commands/export.ts'),
  },
  { name: 'import', summary: 'take in a bundle from another machine', load: () => import('./commands/import.ts') },
  {
    name: 'verify',
    summary: 'prove that a release, run or bundle is intact',
    load: () => import('./commands/verify.ts'),
  },
  { name: 'repos', summary: 'make, list, show and delete repos', load: () => import('./commands/repos.ts') },
  { name: 'drafts', summary: 'list, show and delete drafts', load: () => import('./commands/drafts.ts') },
  { name: 'packages', summary: 'list, show and download packages', load: () => import('./commands/packages.ts') },
  { name: 'tags', summary: 'list, set and remove tags of a package', load: () => import('./commands/tags.ts') },
  { name: 'tombstone', summary: 'withdraw a version for ever', load: () => import('./commands/tombstone.ts') },
  { name: 'rules', summary: 'say what may be published and downloaded', load: () => import('./commands/rules.ts') },
  { name: 'quarantine', summary: 'list what rules hold back', load: () => import('./commands/quarantine.ts') },
  { name: 'publish', summary: 'release what a run made', load: () => import('./commands/publish.ts') },
  { name: 'keys', summary: 'make and show the key releases are signed with', load: () => import('./commands/keys.ts') },
  { name: 'gc', summary: 'remove bytes that nothing refers to', load: () => import('./commands/gc.ts') },
  { name: 'fsck', summary: 'find damage of the registry', load: () => import('./commands/fsck.ts') },
  { name: 'tasks', summary: 'add, list and show tasks', load: () => import('./commands/tasks.ts') },
  { name: 'tools', summary: 'list and show the tools', load: () => import('./commands/tools.ts') },
  { name: 'tokens', summary: 'make, list and revoke tokens', load: () => import('./commands/tokens.ts') },
  {
    name: 'audit',
    summary: 'show who did what, and prove that nothing of it was changed',
    load: () => import('./commands/audit.ts'),
  },
  {
    name: 'webhooks',
    summary: 'tell others of what is released, signed',
    load: () => import('./commands/webhooks.ts'),
  },
  { name: 'agents', summary: 'check that an agent keeps to the protocol', load: () => import('./commands/agents.ts') },
  { name: 'mock-agent', summary: 'play an agent from a script', load: () => import('./commands/mock-agent.ts') },
  {
    name: 'retention',
    summary: 'remove what is older than it must be kept',
    load: () => import('./commands/retention.ts'),
  },
];
