import type { ProcessRow } from './process-table.ts';

/** What is known of a tree of processes while it is being searched for; grows with every look. */
export interface Kinship {
  readonly marker: string;
  /** Processes known to be ours, by `nameOf`: they stay ours whatever they do to their environment. */
  readonly known: Set<string>;
  /** Sessions and process groups only our processes can be in, each led (at first) by the process of that pid. */
  readonly bands: Set<number>;
}

/** A tree of which nothing is known yet but its marker. */
export function kinshipOf(marker: string): Kinship {
  return { marker, known: new Set(), bands: new Set() };
}

/** Names one process beyond the reuse of its pid. */
export function nameOf(row: Pick<ProcessRow, 'pid' | 'startTime'>): string {
  return `${row.pid}@${row.startTime}`;
}

/**
 * The living processes that belong to the tree: those known, those that carry the marker, the children of each
 * (lineage), and those who share a session or a process group with one. This is sound, because the first process of
 * a tree leads a session of its own and nobody can enter a session from outside. A band whose number now belongs to
 * a process that is not ours has been given away again, and proves nothing.
 *
 * Adds what it finds to `kinship`, so that a child is still known after its parent has gone.
 */
export function findKin(rows: readonly ProcessRow[], kinship: Kinship): readonly ProcessRow[] {
  const spared = sparedAmong(rows, kinship);
  const candidates = rows.filter((row) => !spared.has(row.pid));
  const byPid = new Map(candidates.map((row) => [row.pid, row]));
  const kin = new Map<number, ProcessRow>();
  for (const row of candidates) {
    if (kinship.known.has(nameOf(row)) || row.carries(kinship.marker)) kin.set(row.pid, row);
  }
  for (let before = -1; before !== kin.size; ) {
    before = kin.size;
    for (const row of kin.values()) kinship.bands.add(row.session).add(row.group);
    for (const row of candidates) {
      if (kin.has(row.pid)) continue;
      const inBand = [row.session, row.group].some((band) => band > 0 && kinship.bands.has(band) && ledByOurs(band));
      if (kin.has(row.ppid) || inBand) kin.set(row.pid, row);
    }
  }
  for (const row of kin.values()) kinship.known.add(nameOf(row));
  return [...kin.values()];

  function ledByOurs(band: number): boolean {
    const leader = byPid.get(band);
    return leader === undefined || kin.has(band);
  }
}

/**
 * Never ours, whatever they carry: this program and what it descends from. When it descends from the tree itself (a
 * resume typed into a terminal that the old run's agent had opened), then its own children are spared as well, for they
 * have inherited the marker.
 */
function sparedAmong(rows: readonly ProcessRow[], kinship: Kinship): ReadonlySet<number> {
  const byPid = new Map(rows.map((row) => [row.pid, row]));
  const spared = new Set<number>([process.pid]);
  let within = false;
  for (
    let row = byPid.get(process.pid);
    row !== undefined;
    row = spared.has(row.ppid) ? undefined : byPid.get(row.ppid)
  ) {
    spared.add(row.pid);
    within ||= row.carries(kinship.marker) || kinship.known.has(nameOf(row));
  }
  if (within) for (const row of descendantsOf(process.pid, rows)) spared.add(row.pid);
  return spared;
}

/** All processes below `pid`, by their chain of parents. In a pid namespace that is everything: orphans go to its first process. */
export function descendantsOf(pid: number, rows: readonly ProcessRow[]): readonly ProcessRow[] {
  const below: ProcessRow[] = [];
  const tree = new Set([pid]);
  for (let before = 0; before !== tree.size; ) {
    before = tree.size;
    for (const row of rows) {
      if (tree.has(row.pid) || !tree.has(row.ppid)) continue;
      tree.add(row.pid);
      below.push(row);
    }
  }
  return below;
}
