import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { constants } from 'node:fs';
import { link, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { WaybillError } from '../../contract/errors.ts';
import type { SigningPort } from '../../domain/registry/ports.ts';
import { fileWriteFailed, systemCode } from '../../platform/files/file-write-failed.ts';
import { makeFolder, syncFolder } from '../../platform/files/make-folder.ts';
import { writeFileDurably } from '../../platform/files/write-file-durably.ts';
import { randomHex } from '../../platform/ids/make-id.ts';
import { type PublicKey, parsePublicKey, publicKeyOf } from '../../platform/signatures/public-key.ts';

/** Far more than a key in PEM takes. */
const longestKey = 16_384;

/**
 * The Ed25519 key pair of a workspace: `signing.key` (PKCS #8 in PEM, 0600) and `signing.pub` (SPKI in PEM) in a folder
 * that is its owner's alone. The private key is the truth: a public one that is missing is written again from it, and one
 * that is not its own is refused. Only a `signing.pub` by itself is a workspace that trusts a key it does not have.
 */
export function createSigningPort(folder: string): SigningPort {
  const privatePath = join(folder, 'signing.key');
  const publicKeyPath = join(folder, 'signing.pub');

  async function privateKey(): Promise<KeyObject | null> {
    const pem = await readKeyFile(privatePath, true);
    if (pem === null) return null;
    try {
      return createPrivateKey(pem);
    } catch (error) {
      throw invalid(privatePath, 'holds no private key in PEM', error);
    }
  }

  async function pinnedBeside(own: PublicKey | null): Promise<PublicKey | null> {
    const pem = await readKeyFile(publicKeyPath, false);
    if (pem === null) {
      if (own !== null) await writeFileDurably(publicKeyPath, own.pem, { mode: 0o644 });
      return own;
    }
    const pinned = parsePublicKey(pem, publicKeyPath);
    if (own === null || own.keyId === pinned.keyId) return pinned;
    throw invalid(publicKeyPath, 'is not the public part of signing.key beside it');
  }

  return {
    publicKeyPath,
    pinned: async () => {
      const key = await privateKey();
      return pinnedBeside(key === null ? null : publicKeyOf(createPublicKey(key), privatePath));
    },
    open: async () => {
      const secret = await privateKey();
      if (secret === null) throw missing(privatePath);
      const key = publicKeyOf(createPublicKey(secret), privatePath);
      await pinnedBeside(key);
      return { key, sign: (bytes) => sign(null, bytes, secret) };
    },
    make: async () => {
      if ((await readKeyFile(privatePath, true)) !== null || (await readKeyFile(publicKeyPath, false)) !== null) {
        throw exists(folder);
      }
      const { privateKey: secret, publicKey } = generateKeyPairSync('ed25519');
      const pem = secret.export({ type: 'pkcs8', format: 'pem' }).toString();
      if (!(await createOwnFile(folder, privatePath, pem))) throw exists(folder);
      const key = publicKeyOf(publicKey, publicKeyPath);
      await writeFileDurably(publicKeyPath, key.pem, { mode: 0o644 });
      return key;
    },
  };
}

/** Whole or not at all, and never over one that is there: a link, unlike a rename, refuses an existing name. */
async function createOwnFile(folder: string, path: string, content: string): Promise<boolean> {
  const temporary = `${path}.${process.pid}-${randomHex(8)}`;
  try {
    await makeFolder(folder);
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await link(temporary, path);
    await syncFolder(folder);
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw fileWriteFailed(path, error);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Null when there is no such file. @throws WaybillError `signing_key_invalid`, `file_read_failed` */
async function readKeyFile(path: string, secret: boolean): Promise<string | null> {
  try {
    // Not through a link: what others could point elsewhere is not ours.
    await using handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const about = await handle.stat();
    if (!about.isFile()) throw invalid(path, 'is not a plain file');
    if (secret && (about.mode & 0o077) !== 0) {
      const mode = (about.mode & 0o777).toString(8).padStart(4, '0');
      throw invalid(path, `may be used by others (mode ${mode}); run: chmod 600 ${path}`);
    }
    if (about.size > longestKey) throw invalid(path, 'is too large for a key');
    return (await handle.readFile()).toString('utf8');
  } catch (error) {
    if (error instanceof WaybillError) throw error;
    if (systemCode(error) === 'ENOENT') return null;
    const reason = error instanceof Error ? error.message : String(error);
    throw new WaybillError('file_read_failed', `cannot read the key file ${path}: ${reason}`, {
      hint: 'Check that this user may read it.',
      details: { path, systemCode: systemCode(error) ?? null },
      cause: error,
    });
  }
}

function missing(path: string): WaybillError {
  return new WaybillError('signing_key_missing', 'this workspace has no key to sign with', {
    hint: 'Make one with `waybill keys init`, or publish with --unsigned.',
    details: { path },
  });
}

function exists(folder: string): WaybillError {
  return new WaybillError('signing_key_exists', `there is a signing key in ${folder}`, {
    hint: 'Show it with `waybill keys show`. A new one is made only when the old one has been moved away.',
    details: { path: folder },
  });
}

function invalid(path: string, what: string, cause?: unknown): WaybillError {
  return new WaybillError('signing_key_invalid', `the key file ${path} ${what}`, {
    hint: 'Restore the key files from a backup, or move them away and run `waybill keys init`.',
    details: { path },
    ...(cause === undefined ? {} : { cause }),
  });
}
