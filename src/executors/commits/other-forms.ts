import { digestOf } from '../../platform/digests/digest.ts';
import { type GitOptions, runGit } from '../git/run-git.ts';
import { readObjects } from './read-objects.ts';

/** A file larger than this is no text whose line ends anybody changed, and no pointer. */
const largest = 16 << 20;

/** A pointer of git-lfs stands for the bytes it names (git-lfs, docs/spec.md). */
const pointer = /^version https:\/\/git-lfs\.github\.com\/spec\/v1\n(?:.*\n)*oid sha256:([0-9a-f]{64})\n/;

/**
 * What else files of a commit may be on disk: a checkout may change line ends, write a pointer's own bytes, or send a file
 * through a filter program. Null stands for the last: nobody can say what comes out of it.
 */
export async function otherForms(
  root: string,
  commit: string,
  paths: readonly string[],
  git: GitOptions,
): Promise<ReadonlyMap<string, readonly string[] | null>> {
  const forms = new Map<string, readonly string[] | null>();
  const filtered = await filteredPaths(root, commit, paths, git);
  const objects = paths.map((path) => `${commit}:./${path}`).filter((object) => !object.includes('\n'));
  let parts: Buffer[] = [];
  let size = 0;
  await readObjects(
    root,
    objects,
    {
      part: (bytes) => {
        size += bytes.length;
        if (size <= largest) parts.push(bytes);
      },
      end: () => {
        const path = objects[forms.size]?.slice(`${commit}:./`.length) ?? '';
        const other = size > largest ? [] : formsOf(Buffer.concat(parts));
        forms.set(path, filtered.has(path) && other.length < 3 ? null : other);
        [parts, size] = [[], 0];
      },
    },
    git.command,
  );
  return forms;
}

function formsOf(bytes: Buffer): string[] {
  const oid = pointer.exec(bytes.toString('latin1', 0, 1024))?.[1];
  const text = bytes.toString('latin1');
  const unix = text.replaceAll('\r\n', '\n');
  return [
    digestOf(Buffer.from(unix, 'latin1')),
    digestOf(Buffer.from(unix.replaceAll('\n', '\r\n'), 'latin1')),
    ...(oid === undefined ? [] : [`sha256:${oid}`]),
  ];
}

/** The paths that `.gitattributes` of the commit send through a program or another encoding. */
async function filteredPaths(
  root: string,
  commit: string,
  paths: readonly string[],
  git: GitOptions,
): Promise<ReadonlySet<string>> {
  const attributes = ['filter', 'ident', 'working-tree-encoding'];
  const options = { ...git, input: paths.join('\0') };
  const ofCommit = await runGit(root, ['check-attr', '-z', '--stdin', `--source=${commit}`, ...attributes], options);
  // Before 2.40 git asks only the files of the checkout.
  const answer =
    ofCommit.outcome === 'refused'
      ? await runGit(root, ['check-attr', '-z', '--stdin', ...attributes], options)
      : ofCommit;
  const filtered = new Set<string>();
  if (answer.outcome !== 'done') return filtered;
  const words = answer.stdout.toString('utf8').split('\0');
  for (let at = 0; at + 2 < words.length; at += 3) {
    const [path = '', , value = ''] = words.slice(at, at + 3);
    if (!['unspecified', 'unset', ''].includes(value)) filtered.add(path);
  }
  return filtered;
}
