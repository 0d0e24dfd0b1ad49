import { randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Digest } from '../../contract/ids.ts';
import { systemClock } from '../clock/clock.ts';
import { digestOf } from '../digests/digest.ts';
import type { BlobStore, ByteRange, StagedUpload, StoredBlob } from './blob-store.ts';

/** A blob store that can be opened again, as another process would. */
export interface BlobStoreUnderTest extends AsyncDisposable {
  open(): BlobStore;
  /** How many things are kept, whatever they are called: nothing that failed may add to it. */
  count(): Promise<number>;
  /** Changes bytes behind the store's back. */
  damage(digest: Digest): Promise<void>;
}

const hour = 3_600_000_000;
/** Later than everything that was put so far. */
const later = () => systemClock.now() + hour;
const earlier = () => systemClock.now() - hour;

/** What every blob store must do. */
export function blobStoreConformance(prepare: () => Promise<BlobStoreUnderTest>): void {
  let place: BlobStoreUnderTest;
  let blobs: BlobStore;
  beforeEach(async () => {
    place = await prepare();
    blobs = place.open();
  });
  afterEach(() => place[Symbol.asyncDispose]());

  describe('taking in', () => {
    test('G1 what is received is what is kept, whatever its size and its pieces', async () => {
      for (const [size, piece] of [
        [0, 1],
        [1, 1],
        [5_000, 1],
        [3_000_000, 70_001],
        [2 ** 21, 2 ** 20],
      ] as const) {
        const bytes = randomBytes(size);
        const expected = { digest: digestOf(bytes), size };
        expect(await blobs.receive(pieces(bytes, piece), expected)).toEqual(expected);
        expect(await blobs.receive(pieces(bytes, piece)), 'with nothing expected').toEqual(expected);
        expect(await blobs.get(expected.digest)).toEqual(bytes);
      }
      expect(await place.count()).toBe(5);
    });

    test('G1 G4 a wrong digest, a wrong length, too much and a source that fails leave nothing', async () => {
      const bytes = randomBytes(3_000_000);
      const [digest, other] = [digestOf(bytes), digestOf('other')];
      const take = (expected: Parameters<BlobStore['receive']>[1]) => blobs.receive(pieces(bytes, 65_536), expected);
      await expect(take({ digest: other })).rejects.toMatchObject({
        code: 'digest_mismatch',
        details: { expected: other, actual: digest },
      });
      await expect(take({ digest, size: bytes.length + 1 })).rejects.toMatchObject({
        code: 'size_mismatch',
        details: { expected: bytes.length + 1, actual: bytes.length },
      });
      await expect(take({ digest, size: 100_000 })).rejects.toMatchObject({
        code: 'size_mismatch',
        details: { expected: 100_000, actual: 131_072 },
      });
      await expect(take({ digest, maxBytes: bytes.length - 1 })).rejects.toMatchObject({ code: 'body_too_large' });
      const gone = Object.assign(new Error('the connection was lost'), { code: 'ECONNRESET', syscall: 'read' });
      await expect(blobs.receive(failing(bytes, gone))).rejects.toBe(gone);
      expect(await place.count()).toBe(0);
      expect(await take({ digest, maxBytes: bytes.length })).toEqual({ digest, size: bytes.length });
    });

    test('G3 the same bytes at once, on whichever way, are kept once', async () => {
      const bytes = randomBytes(1_500_000);
      const digest = digestOf(bytes);
      const other = place.open();
      await Promise.all([
        ...Array.from({ length: 6 }, (_, index) =>
          (index % 2 ? blobs : other).receive(pieces(bytes, 65_536), { digest }),
        ),
        blobs.put(bytes),
        blobs.staged.append('one', 0, pieces(bytes, 65_536)).then(() => blobs.staged.finish('one')),
      ]);
      expect(await place.count()).toBe(1);
      expect(await blobs.get(digest)).toEqual(bytes);
    });

    test('G26 bytes that went bad are healed by whoever brings them again', async () => {
      const bytes = randomBytes(100_000);
      const digest = await blobs.put(bytes);
      for (const bring of [() => blobs.put(bytes), () => blobs.receive(pieces(bytes, 1_000))]) {
        await place.damage(digest);
        await expect(blobs.get(digest)).rejects.toMatchObject({ code: 'blob_corrupt' });
        await bring();
        expect(await blobs.get(digest)).toEqual(bytes);
      }
    });
  });

  describe('giving out', () => {
    test('G2 the whole, and any range of it', async () => {
      const bytes = randomBytes(700_000);
      const digest = await blobs.put(bytes);
      expect(await read(blobs, digest)).toEqual(bytes);
      for (const [first, last] of [
        [0, 0],
        [0, 699_999],
        [699_999, 699_999],
        [262_143, 262_145],
        [5, 600_000],
      ] as const) {
        expect(await read(blobs, digest, { first, last }), `${first}-${last}`).toEqual(bytes.subarray(first, last + 1));
      }
      const empty = await blobs.put(new Uint8Array());
      expect(await read(blobs, empty)).toHaveLength(0);
    });

    test('G2 what is not there is missing; a reader that goes away, or never begins, holds nothing', async () => {
      await expect(blobs.open(digestOf('no'))).rejects.toMatchObject({ code: 'blob_missing' });
      const digest = await blobs.put(randomBytes(2_000_000));
      const opened = await blobs.open(digest);
      expect(opened.size).toBe(2_000_000);
      for await (const _chunk of opened.stream()) break;
      await using _never = await blobs.open(digest);
    });
  });

  describe('collecting', () => {
    test('G26 what nobody touched goes, what was put or touched since stays', async () => {
      const digest = await blobs.put(randomBytes(10_000));
      expect(await blobs.remove(digest, { untouchedSince: earlier() })).toBe('kept');
      expect(await blobs.has(digest)).toBe(true);
      expect(await blobs.remove(digest, { untouchedSince: later() })).toBe('removed');
      expect(await blobs.remove(digest, { untouchedSince: later() })).toBe('missing');
      expect(await blobs.touch(digest)).toBeNull();
      expect(await place.count()).toBe(0);
    });

    test('G26 each way of bringing bytes that are there already makes them young again', async () => {
      const bytes = randomBytes(10_000);
      const digest = await blobs.put(bytes);
      for (const bring of [
        () => blobs.put(bytes),
        () => blobs.touch(digest),
        () => blobs.receive(pieces(bytes, 3_000)),
        () => blobs.staged.append('again', 0, pieces(bytes, 3_000)).then(() => blobs.staged.finish('again')),
      ]) {
        await pause(20);
        const untouchedSince = systemClock.now();
        await pause(20);
        await bring();
        expect(await blobs.remove(digest, { untouchedSince })).toBe('kept');
        expect((await blobs.stat(digest))?.storedAt).toBeGreaterThanOrEqual(untouchedSince);
      }
    });

    test('G2 block by block, whole or a range, each block lent until it is taken', async () => {
      const bytes = randomBytes(1_000_003);
      const digest = await blobs.put(bytes);
      for (const range of [undefined, { first: 0, last: 0 }, { first: 262_143, last: 999_999 }]) {
        await using opened = await blobs.open(digest);
        const parts: Buffer[] = [];
        await opened.blocks(async (block) => {
          parts.push(Buffer.from(block));
          // Whoever takes it slowly still has it: the next block is another one.
          await pause(1);
          expect(parts.at(-1)?.equals(block)).toBe(true);
        }, range);
        const { first, last } = range ?? { first: 0, last: bytes.length - 1 };
        expect(Buffer.concat(parts).equals(bytes.subarray(first, last + 1))).toBe(true);
      }
      await using opened = await blobs.open(digest);
      await expect(opened.blocks(() => Promise.reject(new Error('enough')))).rejects.toThrow('enough');
    });

    test('G26 who has them open reads on to the end', async () => {
      const bytes = randomBytes(3_000_000);
      const digest = await blobs.put(bytes);
      const opened = await blobs.open(digest);
      expect(await blobs.remove(digest, { untouchedSince: later() })).toBe('removed');
      expect(await buffer(opened.stream())).toEqual(bytes);
    });

    test('G26 beside collectors that always run, what was brought is there, and can always be read', async () => {
      const bytes = randomBytes(20_000);
      const digest = await blobs.put(bytes);
      const other = place.open();
      const counts = { kept: 0, removed: 0, missing: 0 };
      let done = false;
      let untouchedSince = 0;
      const collect = async (from: BlobStore) => {
        while (!done) counts[await from.remove(digest, { untouchedSince })]++;
      };
      const collectors = [collect(blobs), collect(other)];
      for (let round = 0; round < 60; round++) {
        const from = round % 2 === 0 ? blobs : other;
        // From now on all that was brought before is old. The clock of a file system is some milliseconds late.
        untouchedSince = systemClock.now();
        await pause(round % 3 === 0 ? 10 : 30);
        if (round % 4 === 0) await from.put(bytes);
        else if ((await from.touch(digest)) === null) await from.receive(pieces(bytes, 7_000));
        expect(await from.get(digest), `round ${round}`).toEqual(bytes);
      }
      done = true;
      await Promise.all(collectors);
      expect(counts.removed).toBeGreaterThan(0);
      expect(counts.kept).toBeGreaterThan(0);
      expect(await place.count()).toBeLessThanOrEqual(1);
    });

    test('G26 the list has each blob once, in order', async () => {
      const digests = await Promise.all(Array.from({ length: 20 }, (_, n) => blobs.put(Buffer.from(`blob ${n}`))));
      const listed: StoredBlob[] = [];
      for await (const each of blobs.list()) listed.push(each);
      expect(listed.map((each) => each.digest)).toEqual(digests.toSorted());
    });
  });

  describe('staging', () => {
    test('G1 parts are added at the end only, and go on after a restart', async () => {
      const bytes = randomBytes(3_000_000);
      const { staged } = blobs;
      expect(await staged.stat('one')).toBeNull();
      expect(await staged.append('one', 0, pieces(bytes.subarray(0, 1_000_000), 9_000))).toBe(1_000_000);
      for (const wrong of [0, 999_999, 1_000_001]) {
        await expect(staged.append('one', wrong, pieces(bytes, 9_000))).rejects.toMatchObject({
          code: 'upload_offset_mismatch',
          details: { offset: 1_000_000 },
        });
      }
      const again = place.open();
      expect(await again.staged.stat('one')).toMatchObject({ size: 1_000_000 });
      expect(await again.staged.append('one', 1_000_000, pieces(bytes.subarray(1_000_000), 9_000))).toBe(3_000_000);
      const expected = { digest: digestOf(bytes), size: bytes.length };
      expect(await again.staged.finish('one', expected)).toEqual(expected);
      expect(await again.staged.stat('one')).toBeNull();
      expect(await blobs.get(expected.digest)).toEqual(bytes);
      expect(await place.count()).toBe(1);
    });

    test('G4 what came before a connection was lost stays, and is where to go on from', async () => {
      const bytes = randomBytes(2_500_000);
      const lost = new Error('the connection was lost');
      await expect(blobs.staged.append('one', 0, failing(bytes.subarray(0, 1_234_567), lost))).rejects.toBe(lost);
      const found = await blobs.staged.stat('one');
      expect(found?.size).toBe(1_234_567);
      await blobs.staged.append('one', 1_234_567, pieces(bytes.subarray(1_234_567), 65_536));
      expect((await blobs.staged.finish('one')).digest).toBe(digestOf(bytes));
    });

    test('G1 what is not what was said is not moved; too much is not kept', async () => {
      const bytes = randomBytes(100_000);
      const { staged } = blobs;
      await staged.append('one', 0, pieces(bytes, 9_000));
      await expect(staged.finish('one', { digest: digestOf('other') })).rejects.toMatchObject({
        code: 'digest_mismatch',
        details: { expected: digestOf('other'), actual: digestOf(bytes) },
      });
      await expect(staged.finish('one', { size: 100_001 })).rejects.toMatchObject({
        code: 'size_mismatch',
        details: { expected: 100_001, actual: 100_000 },
      });
      for (const [limits, code] of [
        [{ maxBytes: 100_010 }, 'body_too_large'],
        [{ size: 100_010 }, 'size_mismatch'],
      ] as const) {
        await expect(staged.append('one', 100_000, pieces(bytes, 10), limits)).rejects.toMatchObject({ code });
        expect(await staged.stat('one')).toMatchObject({ size: 100_000 });
      }
      expect(await blobs.has(digestOf(bytes))).toBe(false);
      expect((await staged.finish('one', { digest: digestOf(bytes), size: 100_000 })).size).toBe(100_000);
    });

    test('G4 uploads are listed and discarded, and leave nothing', async () => {
      const { staged } = blobs;
      await staged.append('one', 0, pieces(randomBytes(10), 3));
      await staged.append('two', 0, pieces(randomBytes(20), 3));
      const listed: StagedUpload[] = [];
      for await (const each of staged.list()) listed.push(each);
      expect(listed.map(({ id, size }) => `${id} ${size}`).toSorted()).toEqual(['one 10', 'two 20']);
      expect([await staged.discard('one'), await staged.discard('two'), await staged.discard('two')]).toEqual([
        true,
        true,
        false,
      ]);
      expect(await place.count()).toBe(0);
      await expect(staged.append('../out', 0, pieces(randomBytes(1), 1))).rejects.toMatchObject({ code: 'invalid_id' });
    });

    test('G4 whoever resumes ends a connection that only seems to live; another process is asked to wait', async () => {
      const bytes = randomBytes(50_000);
      const { staged } = blobs;
      const [begun, silent] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const waits = async function* () {
        yield bytes;
        begun.resolve();
        await silent.promise;
      };
      const first = staged.append('one', 0, waits());
      first.catch(() => {});
      await begun.promise;
      const elsewhere = place.open().staged;
      await expect(elsewhere.append('one', 0, pieces(bytes, 9_000))).rejects.toMatchObject({ code: 'lease_held' });
      await expect(elsewhere.finish('one')).rejects.toMatchObject({ code: 'lease_held' });
      await expect(staged.append('one', 0, pieces(bytes, 9_000))).rejects.toMatchObject({
        code: 'upload_offset_mismatch',
        details: { offset: 50_000 },
      });
      await expect(first).rejects.toMatchObject({ code: 'lease_held' });
      silent.resolve();
      expect(await staged.append('one', 50_000, pieces(bytes, 9_000))).toBe(100_000);
      expect((await staged.finish('one')).digest).toBe(digestOf(Buffer.concat([bytes, bytes])));
    });
  });
}

async function read(blobs: BlobStore, digest: Digest, range?: ByteRange): Promise<Buffer> {
  return buffer((await blobs.open(digest)).stream(range));
}

async function* pieces(bytes: Buffer, length: number): AsyncGenerator<Uint8Array, void, void> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

async function* failing(bytes: Buffer, error: Error): AsyncGenerator<Uint8Array, void, void> {
  yield* pieces(bytes, 65_536);
  throw error;
}

/** Times of files are looked at here, so time must really pass. */
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
