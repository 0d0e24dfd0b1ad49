import type { CommitAnswer, CommitPort } from '../../domain/registry/ports.ts';
import type { FileKind, SnapshotEntry } from '../../domain/runs/ports.ts';
import { DigestStream } from '../../platform/digests/digest.ts';
import { firstLine, type GitOptions, type GitResult, runGit, saysNoCheckout } from '../git/run-git.ts';
import { isNeverIn, keyOf, type PathKey, shownPath } from '../snapshots/tree-path.ts';
import { otherForms } from './other-forms.ts';
import { readObjects } from './read-objects.ts';

/** A file of a tree as git lists it. */
interface ListedFile {
  readonly key: PathKey;
  readonly kind: FileKind;
  readonly object: string;
}

/** What git knows of commits, without a side effect: objects are read, nothing is checked out, no filter is run. */
export function createCommitPort(git: GitOptions = {}): CommitPort {
  const command = git.command ?? 'git';

  async function tree(root: string, commit: string): Promise<CommitAnswer> {
    const missing = await whyNoCommit(root, commit, git);
    if (missing !== null) return missing;
    const listed = await runGit(root, ['ls-tree', '-r', '-z', commit], git);
    if (listed.outcome !== 'done') return unknown(whyNot(listed));
    const files = filesIn(listed.stdout);
    const entries: SnapshotEntry[] = [];
    let [stream, size] = [new DigestStream(), 0];
    const problem = await readObjects(
      root,
      files.map(({ object }) => object),
      {
        part: (bytes) => {
          stream.update(bytes);
          size += bytes.length;
        },
        end: () => {
          const file = files[entries.length];
          if (file !== undefined)
            entries.push({ ...shownPath(file.key), kind: file.kind, size, digest: stream.finish() });
          [stream, size] = [new DigestStream(), 0];
        },
      },
      command,
    );
    if (problem !== null) return unknown(problem);
    const [sparse, modes] = await Promise.all([
      setting(root, 'core.sparseCheckout', git),
      setting(root, 'core.fileMode', git),
    ]);
    return { outcome: 'found', tree: { files: entries, sparse: sparse === 'true', ignoresModes: modes === 'false' } };
  }

  return {
    tree,
    otherForms: (root, commit, paths) => otherForms(root, commit, paths, git),
    ignored: async (root, paths) => {
      if (paths.length === 0) return new Set();
      const asked = await runGit(root, ['check-ignore', '-z', '--stdin', '--no-index'], {
        ...git,
        input: paths.join('\0'),
      });
      // Exit code 1 is how it says that none is.
      return new Set(
        asked.outcome === 'done'
          ? asked.stdout
              .toString('utf8')
              .split('\0')
              .filter((path) => path !== '')
          : [],
      );
    },
  };
}

/** The name of an object, and nothing else that git would find one by: evidence can say "HEAD", or an option. */
const objectName = /^[0-9a-f]{40}([0-9a-f]{24})?$/;

/** Null when the commit is there. */
async function whyNoCommit(root: string, commit: string, git: GitOptions): Promise<CommitAnswer | null> {
  if (!objectName.test(commit)) return { outcome: 'missing' };
  const [object, shallow] = await Promise.all([
    runGit(root, ['cat-file', '-e', `${commit}^{commit}`], git),
    runGit(root, ['rev-parse', '--is-shallow-repository'], git),
  ]);
  if (shallow.outcome !== 'done') return unknown(whyNot(shallow));
  if (object.outcome === 'done') return null;
  if (object.outcome !== 'refused') return unknown(whyNot(object));
  if (shallow.stdout.toString('utf8').trim() === 'true') {
    return unknown('this checkout is shallow, and has not all commits');
  }
  return { outcome: 'missing' };
}

const kinds: Readonly<Record<string, FileKind>> = {
  '100644': 'file',
  '100664': 'file',
  '100755': 'executable',
  '120000': 'symlink',
};

/** The files in `ls-tree -r -z`: `<mode> <type> <object>` TAB `<path>` NUL; submodules are no files. */
function filesIn(listing: Buffer): ListedFile[] {
  const files: ListedFile[] = [];
  for (let start = 0; start < listing.length; ) {
    const [tab, end] = [listing.indexOf(0x09, start), listing.indexOf(0, start)];
    const [mode = '', , object = ''] = listing.toString('latin1', start, tab).split(' ');
    const kind = kinds[mode];
    const key = keyOf(listing.subarray(tab + 1, end));
    if (kind !== undefined && !isNeverIn(key)) files.push({ key, kind, object });
    start = end + 1;
  }
  return files;
}

async function setting(root: string, name: string, git: GitOptions): Promise<string> {
  const found = await runGit(root, ['config', '--type=bool', '--get', name], git);
  return found.outcome === 'done' ? found.stdout.toString('utf8').trim() : '';
}

function unknown(reason: string): CommitAnswer {
  return { outcome: 'unknown', reason };
}

function whyNot(result: Exclude<GitResult, { outcome: 'done' }>): string {
  switch (result.outcome) {
    case 'missing':
      return 'git is not installed';
    case 'hung':
      return `git did not answer within ${result.timeoutMs / 1000} s`;
    case 'aborted':
      return 'the question was aborted';
    case 'refused':
      if (saysNoCheckout(result.stderr)) return 'there is no git checkout here';
      return `git refused: ${firstLine(result.stderr) || `exit code ${result.exitCode}`}`;
    default:
      return result satisfies never;
  }
}
