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
 * Stands in for `npm install waybill`: agents import `waybill/agent`, and a program `waybill/client`, from a package that
 * hands on to the sources of this checkout, so that the demo needs neither a build nor a network.
 */
async function installWaybill(project: string): Promise<void> {
  const folder = join(project, 'node_modules', 'waybill');
  await mkdir(folder, { recursive: true });
  const parts = ['agent', 'client'];
  for (const part of parts) {
    const sources = pathToFileURL(join(import.meta.dirname, '..', 'src', 'sdk', part, 'index.ts')).href;
    await writeFile(join(folder, `${part}.js`), `export * from ${JSON.stringify(sources)};\n`);
  }
  const exports = Object.fromEntries(parts.map((part) => [`./${part}`, `./${part}.js`]));
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name: 'waybill', type: 'module', exports }));
}
