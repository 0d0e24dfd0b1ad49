import { generateKeyPairSync } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { digestOf } from '../../platform/digests/digest.ts';
import { isSignedBy } from '../../platform/signatures/public-key.ts';
import { createSigningPort } from './signing-port.ts';

const folders: string[] = [];
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

async function keys(): Promise<{ readonly folder: string; readonly port: ReturnType<typeof createSigningPort> }> {
  const folder = join(await mkdtemp(join(tmpdir(), 'waybill-keys-')), 'keys');
  folders.push(folder);
  return { folder, port: createSigningPort(folder) };
}

test('G24 a key pair is made once, private to its owner, and what it signs holds', async () => {
  const { folder, port } = await keys();
  expect(await port.pinned()).toBeNull();
  await expect(port.open()).rejects.toMatchObject({ code: 'signing_key_missing' });
  const made = await port.make();
  expect((await stat(join(folder, 'signing.key'))).mode & 0o777).toBe(0o600);
  const der = Buffer.from(made.pem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
  expect(made.keyId).toBe(digestOf(der));
  expect(await port.pinned()).toEqual(made);
  const signer = await port.open();
  const bytes = Buffer.from('what is signed');
  expect(isSignedBy(signer.key, bytes, signer.sign(bytes))).toBe(true);
  expect(isSignedBy(signer.key, Buffer.from('what is not'), signer.sign(bytes))).toBe(false);

  const before = await readFile(join(folder, 'signing.key'));
  await expect(port.make()).rejects.toMatchObject({ code: 'signing_key_exists' });
  expect(await readFile(join(folder, 'signing.key'))).toEqual(before);
  expect((await readdir(folder)).sort()).toEqual(['signing.key', 'signing.pub']);
});

test('G24 of two that make a key at once one does, and a public key that was lost is written again', async () => {
  const { folder, port } = await keys();
  const made = await Promise.allSettled([port.make(), createSigningPort(folder).make()]);
  expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  const key = await port.pinned();
  // As a crash between the two files leaves it.
  await rm(join(folder, 'signing.pub'));
  expect(await port.pinned()).toEqual(key);
  expect(await readFile(join(folder, 'signing.pub'), 'utf8')).toBe(key?.pem);
});

test('G24 key files that others could use, or that do not belong together, are refused', async () => {
  const { folder, port } = await keys();
  await port.make();
  const [secret, open] = [join(folder, 'signing.key'), join(folder, 'signing.pub')];
  await chmod(secret, 0o644);
  await expect(port.open()).rejects.toMatchObject({
    code: 'signing_key_invalid',
    message: expect.stringContaining('0644'),
  });
  await chmod(secret, 0o600);
  const other = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' });
  await writeFile(open, other);
  await expect(port.open()).rejects.toMatchObject({ code: 'signing_key_invalid' });
  await expect(port.pinned()).rejects.toMatchObject({ code: 'signing_key_invalid' });
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ type: 'spki', format: 'pem' });
  for (const content of [rsa, 'no key', '']) {
    await writeFile(open, content);
    await expect(port.pinned()).rejects.toMatchObject({ code: 'signing_key_invalid' });
  }
  await rm(open);
  await writeFile(secret, 'no key', { mode: 0o600 });
  await expect(port.open()).rejects.toMatchObject({ code: 'signing_key_invalid' });
  await rm(secret);
  await symlink('/etc/hostname', secret);
  await expect(port.open()).rejects.toMatchObject({ code: 'file_read_failed' });
});

test('G24 a workspace may trust a public key whose private one it does not have', async () => {
  const [mine, theirs] = [await keys(), await keys()];
  const made = await theirs.port.make();
  await mine.port.make();
  await rm(join(mine.folder, 'signing.key'));
  await writeFile(join(mine.folder, 'signing.pub'), made.pem);
  expect(await mine.port.pinned()).toEqual(made);
  await expect(mine.port.open()).rejects.toMatchObject({ code: 'signing_key_missing' });
  await expect(mine.port.make()).rejects.toMatchObject({ code: 'signing_key_exists' });
});
