import { isUtf8 } from 'node:buffer';

/**
 * The key of a path inside a tree: one well-formed string for any bytes. A path that is UTF-8 is its own key; any
 * other is `/` (no relative path begins so) and its `%XX` form, in which `%` itself is escaped too.
 */
export type PathKey = string;

export function keyOf(bytes: Buffer): PathKey {
  return isUtf8(bytes) ? bytes.toString('utf8') : `/${escapeBytes(bytes)}`;
}

function escapeBytes(bytes: Buffer): string {
  let text = '';
  for (const byte of bytes) {
    const plain = byte >= 0x20 && byte < 0x7f && byte !== 0x25;
    text += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return text;
}

/** The keys in a list of paths ended by NUL, as git writes it; sorted, each once. */
export function keysIn(list: Buffer): PathKey[] {
  const keys: PathKey[] = isUtf8(list) ? list.toString('utf8').split('\0') : splitBytes(list).map(keyOf);
  keys.sort();
  return keys.filter((key, index) => key !== '' && key !== keys[index - 1]);
}

function splitBytes(list: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  for (let start = 0; start < list.length; ) {
    const end = list.indexOf(0, start);
    parts.push(list.subarray(start, end < 0 ? list.length : end));
    start = end < 0 ? list.length : end + 1;
  }
  return parts;
}

/** What the system is asked for: text, or the exact bytes where text cannot say them. */
export function systemPath(root: string, key: PathKey): string | Buffer {
  return key.startsWith('/') ? Buffer.concat([Buffer.from(`${root}/`), bytesOf(key)]) : `${root}/${key}`;
}

export function bytesOf(key: PathKey): Buffer {
  if (!key.startsWith('/')) return Buffer.from(key);
  const text = key
    .slice(1)
    .replace(/%([0-9A-F]{2})/g, (_match, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(text, 'latin1');
}

/** How a snapshot shows the path. */
export function shownPath(key: PathKey): { readonly path: string; readonly raw?: true } {
  return key.startsWith('/') ? { path: key.slice(1), raw: true } : { path: key };
}

/** The key of the folder a path lies in; '' for the root. */
export function parentOf(key: PathKey): PathKey {
  const slash = key.lastIndexOf('/');
  return slash <= 0 ? '' : key.slice(0, slash);
}

/** The key of `name` in the folder `parent`; needed where folder and name are read apart. */
export function childOf(parent: PathKey, name: Buffer | string): PathKey {
  if (typeof name === 'string' && !parent.startsWith('/')) return parent === '' ? name : `${parent}/${name}`;
  const bytes = typeof name === 'string' ? Buffer.from(name) : name;
  return keyOf(parent === '' ? bytes : Buffer.concat([bytesOf(parent), Buffer.from('/'), bytes]));
}

/** Never part of any tree, at any depth: git's own data and ours. */
export function isNeverIn(key: PathKey): boolean {
  // The cheap question first: it is asked for every file of every tree.
  if (!key.includes('.git') && !key.includes('.waybill')) return false;
  return /(^|\/)(\.git|\.waybill)(\/|$)/.test(key);
}
