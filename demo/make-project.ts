import { cp, mkdir, mkdtemp, realpath, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { program } from './programs.ts';

/** A copy of `demo/project` in a temporary folder, as a git repository with one commit. */
export async function makeProject(): Promise<string> {
  const project = join(await realpath(await mkdtemp(join(tmpdir(), 'waybill-demo-'))), 'tin-shop');
  await cp(join(import.meta.dirname, 'project'), project, { recursive: true });
  await installWaybill(project);
  await git(project, '-c', 'init.defaultBranch=main', 'init', '--quiet');
  await commit(project, 'A shop that adds up its orders');
  return project;
}

/** Commits everything, as nobody in particular: the machine may have no git identity. */
export async function commit(project: string, message: string): Promise<void> {
  await git(project, 'add', '--all');
  const identity = ['-c', 'user.name=demo', '-c', 'user.email=demo@localhost', '-c', 'commit.gpgsign=false'];
  await git(project, ...identity, 'commit', '--quiet', '--no-verify', '-m', message);
}

async function git(project: string, ...args: readonly string[]): Promise<void> {
  const { exitCode, lines } = await program(project, ['git', ...args], { aloud: false });
  if (exitCode !== 0) throw new Error(`git ${args.join(' ')} failed: ${lines.join(' ')}`);
}

/**
 * Stands in for `npm install waybill`: agents import `waybill/agent` from a package that hands on to the sources
 * of this checkout, so that the demo needs neither a build nor a network.
 */
async function installWaybill(project: string): Promise<void> {
  const folder = join(project, 'node_modules', 'waybill');
  await mkdir(folder, { recursive: true });
  const sources = pathToFileURL(join(import.meta.dirname, '..', 'src', 'sdk', 'agent', 'index.ts')).href;
  await writeFile(join(folder, 'agent.js'), `export * from ${JSON.stringify(sources)};\n`);
  await writeFile(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'waybill', type: 'module', exports: { './agent': './agent.js' } }),
  );
}
