import { describe, expect, test } from 'vitest';
import { descendantsOf, findKin, type Kinship, kinshipOf, nameOf } from './kin.ts';
import type { ProcessRow } from './process-table.ts';

const row = (pid: number, ppid: number, band = pid, marker?: string, startTime = '1'): ProcessRow => ({
  ...{ pid, ppid, group: band, session: band, stopped: false, startTime },
  carries: (wanted) => wanted === marker,
});
const pids = (rows: readonly ProcessRow[]): number[] => rows.map(({ pid }) => pid).sort((a, b) => a - b);
const marker = 'marker-of-the-run';
const me = process.pid;
const init = row(1, 0);
const shellAboveMe = row(me + 1, 1);
const self = row(me, me + 1, me + 1);

describe('findKin', () => {
  test('finds by marker, by lineage, by session and group, through any number of steps', () => {
    const rows = [
      ...[init, shellAboveMe, self],
      row(100, 1, 100, marker),
      row(101, 100, 101),
      row(102, 1, 101),
      row(103, 102, 103),
      row(200, 1, 200),
      row(201, 200, 200, 'another-marker'),
    ];
    expect(pids(findKin(rows, kinshipOf(marker)))).toEqual([100, 101, 102, 103]);
  });

  test('what was found once stays known when its parent has gone, unless its pid was given away', () => {
    const kinship = kinshipOf(marker);
    findKin([init, row(100, 1, 100, marker), row(101, 100, 101)], kinship);
    expect(pids(findKin([init, row(101, 1, 101)], kinship))).toEqual([101]);
    expect(findKin([init, row(101, 1, 101, undefined, '2')], kinship)).toEqual([]);
  });

  test('a session whose number was given away proves nothing', () => {
    const orphan = row(150, 1, 100);
    const ended = (): Kinship => ({ ...kinshipOf(marker), bands: new Set([100]) });
    expect(pids(findKin([init, orphan], ended()))).toEqual([150]);
    expect(findKin([init, row(100, 1, 100, undefined, '9'), orphan], ended())).toEqual([]);
  });

  test('the process of a recorded identity is ours only with the recorded start time', () => {
    const kinship = kinshipOf(marker);
    kinship.known.add(nameOf({ pid: 100, startTime: '5' }));
    expect(findKin([init, row(100, 1, 100, undefined, '6')], kinship)).toEqual([]);
    expect(pids(findKin([init, row(100, 1, 100, undefined, '5')], kinship))).toEqual([100]);
  });

  test('this program and what it descends from are spared, even when they carry the marker', () => {
    const above = [init, row(me + 1, 1, me + 1, marker), row(me, me + 1, me + 1), row(300, 1, 300, marker)];
    expect(pids(findKin(above, kinshipOf(marker)))).toEqual([300]);
  });

  test('its own children are spared only when it runs inside of the tree itself', () => {
    const children = [row(400, me, 400, marker), row(401, 400, 401, marker)];
    const inside = [init, shellAboveMe, row(me, me + 1, me + 1, marker), ...children];
    expect(findKin(inside, kinshipOf(marker))).toEqual([]);
    expect(pids(findKin([init, shellAboveMe, self, ...children], kinshipOf(marker)))).toEqual([400, 401]);
  });

  test('session 0, which belongs to processes outside of our pid namespace, makes nobody kin', () => {
    const rows = [init, row(100, 1, 0, marker), row(500, 1, 0)];
    expect(pids(findKin(rows, kinshipOf(marker)))).toEqual([100]);
  });
});

test('descendantsOf finds children before their parents in the list, and no one else', () => {
  expect(pids(descendantsOf(10, [row(12, 11), row(11, 10), row(10, 1), row(13, 1), row(14, 12)]))).toEqual([
    11, 12, 14,
  ]);
});
