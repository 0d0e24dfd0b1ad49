import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** The TypeScript files git tracks or would track, relative to the root: what is ignored is not ours to judge. */
export async function sourcePaths(root: string): Promise<string[]> {
  const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--deduplicate', '*.ts'];
  const [all, gone] = await Promise.all([
    promisify(execFile)('git', args, { cwd: root }),
    promisify(execFile)('git', ['ls-files', '-z', '--deleted', '*.ts'], { cwd: root }),
  ]);
  const deleted = new Set(gone.stdout.split('\0'));
  return all.stdout.split('\0').filter((path) => path !== '' && !deleted.has(path));
}
