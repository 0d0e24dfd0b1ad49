import { type SnapshotManifest, snapshotManifestSchema } from '../../../contract/evidence.ts';
import { parseDigest } from '../../../platform/digests/digest.ts';
import type { EvidenceSource } from '../../runs/evidence/evidence-source.ts';
import type { SnapshotEntry, TreeDifference } from '../../runs/ports.ts';
import { differences } from '../../runs/snapshots/differences.ts';
import type { ProvenRun } from '../attestation/run-evidence.ts';
import type { CommitPort } from '../ports.ts';
import { BrokenRelease, type CheckedLink } from './release-link.ts';

/** Where the commit is looked for. */
export interface Checkout {
  readonly commits: CommitPort;
  /** The folder of the workspace inside its checkout; null where there is none. */
  readonly root: string | null;
  /** Nobody said that this is the checkout of the release: a commit it does not have says nothing. */
  readonly guessed: boolean;
}

/** The tree a run began with: its manifest, whose bytes the ledger names. Null when it took none. */
export async function firstManifest(source: EvidenceSource, { facts }: ProvenRun): Promise<SnapshotManifest | null> {
  const begun = facts.started?.snapshot ?? null;
  if (begun === null) return null;
  const text = await source.manifest(begun.digest, begun.manifest);
  if (text === 'missing' || text === 'apart') return null;
  return snapshotManifestSchema.parse(JSON.parse(text));
}

/**
 * The commit a run began on is in the checkout, and the snapshot is what it holds, when the run's provenance says that
 * nothing was changed; of a tree with changes the files that differ are listed.
 * @throws BrokenRelease
 */
export async function checkCommit(
  { facts }: ProvenRun,
  manifest: SnapshotManifest | null,
  { commits, root, guessed }: Checkout,
): Promise<CheckedLink> {
  const checkout = facts.started?.provenance.checkout;
  if (checkout === undefined || !checkout.commit.known) {
    return notChecked(checkout?.commit.known === false ? checkout.commit.reason : 'the run did not start');
  }
  const commit = checkout.commit.value;
  if (root === null) return notChecked(`there is no checkout here to look for ${commit} in; give one with --checkout`);
  const answer = await commits.tree(root, commit);
  if (answer.outcome === 'unknown') return notChecked(`${commit}: ${answer.reason}`);
  if (answer.outcome === 'missing' && guessed) {
    return notChecked(`the checkout here does not have ${commit}; give one that should with --checkout`);
  }
  if (answer.outcome === 'missing') {
    throw new BrokenRelease('commit', 'the checkout', `the commit ${commit}`, 'no such commit');
  }
  if (manifest === null) {
    return {
      link: 'commit',
      state: 'intact',
      what: `${commit} is in the checkout; there is no snapshot to hold against it`,
    };
  }
  const before = answer.tree.ignoresModes ? answer.tree.files.map(plain) : answer.tree.files;
  const files = manifest.files.map(entryOf);
  const after = answer.tree.ignoresModes ? files.map(plain) : files;
  const all = differences(before, after);
  const found = await unexplained(all, { commits, root, commit, manifest, after, sparse: answer.tree.sparse });
  const same = before.length - all.filter(({ change }) => change !== 'added').length;
  const words = `${commit} is in the checkout, and ${same} of ${manifest.files.length} files are as it has them`;
  const dirty = checkout.dirty.known ? checkout.dirty.value : null;
  if (dirty === false) {
    const [first] = found;
    if (first !== undefined) {
      const places = `${found.length} ${found.length === 1 ? 'file' : 'files'}, first ${first.path}`;
      throw new BrokenRelease('commit', places, `as in the commit ${commit}`, first.change);
    }
    const explained = all.length === 0 ? '' : `; ${all.length} differ as git itself makes them differ`;
    return { link: 'commit', state: 'intact', what: `${words}${explained}` };
  }
  const why =
    dirty === true
      ? 'the checkout had changes that were not committed'
      : 'it is not known whether the checkout was clean';
  return {
    link: 'commit',
    state: 'intact',
    what: `${words}; ${why}: ${found.length} differ`,
    ...(found.length === 0 ? {} : { differences: found }),
  };
}

interface Look {
  readonly commits: CommitPort;
  readonly root: string;
  readonly commit: string;
  readonly manifest: SnapshotManifest;
  readonly after: readonly SnapshotEntry[];
  readonly sparse: boolean;
}

/** Differences that neither git's own settings nor what the snapshot left out or took in on purpose explain. */
async function unexplained(all: readonly TreeDifference[], look: Look): Promise<readonly TreeDifference[]> {
  const { commits, root, commit, manifest, after, sparse } = look;
  const named = (change: TreeDifference['change']) =>
    all.filter((each) => each.change === change).map(({ path }) => path);
  const omitted = manifest.omitted.map(({ path }) => path);
  const [changed, added] = [named('changed'), named('added')];
  const forms = changed.length === 0 ? new Map() : await commits.otherForms(root, commit, changed);
  const ignored = await commits.ignored(root, added);
  const digests = new Map(after.map(({ path, digest }) => [path, digest]));
  return all.filter(({ path, change }) => {
    switch (change) {
      case 'added':
        return !ignored.has(path);
      case 'removed':
        return !sparse && !omitted.some((part) => path === part || path.startsWith(`${part}/`));
      case 'changed': {
        const known = forms.get(path);
        return known === undefined || (known !== null && !known.includes(digests.get(path)));
      }
      default:
        return change satisfies never;
    }
  });
}

function entryOf({ raw, ...file }: SnapshotManifest['files'][number]): SnapshotEntry {
  return { ...file, digest: parseDigest(file.digest), ...(raw === undefined ? {} : { raw }) };
}

/** Where git does not tell executable files apart, neither can we. */
function plain(entry: SnapshotEntry): SnapshotEntry {
  return entry.kind === 'executable' ? { ...entry, kind: 'file' } : entry;
}

function notChecked(what: string): CheckedLink {
  return { link: 'commit', state: 'not_checked', what };
}
