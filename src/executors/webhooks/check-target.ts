import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { WaybillError } from '../../contract/errors.ts';
import { isRefusedAddress } from './refused-addresses.ts';

/** An address that may be told now: whoever connects takes one of `addresses`, and asks no name server again. */
export interface CheckedTarget {
  readonly url: URL;
  readonly addresses: readonly { readonly address: string; readonly family: 4 | 6 }[];
}

export type Resolve = (host: string) => Promise<readonly { readonly address: string; readonly family: number }[]>;

const longest = 2_048;
const resolveHost: Resolve = (host) => lookup(host, { all: true, verbatim: true });

/**
 * Parses the address of a webhook, resolves its name, and holds every address it has against the ranges that are
 * refused: loopback, private, link-local, shared, multicast and all others that are not the Internet's.
 * @param allowPrivate `HOST` or `HOST:PORT`, which may be told although they are private
 * @throws WaybillError `webhook_refused`
 */
export async function checkTarget(
  text: string,
  allowPrivate: readonly string[],
  resolve: Resolve = resolveHost,
): Promise<CheckedTarget> {
  const url = parseTarget(text);
  const host = hostOf(url);
  const addresses = await addressesOf(host, resolve);
  if (!isAllowed(url, allowPrivate) && addresses.some(({ address }) => isRefusedAddress(address))) {
    throw refuse('it is in a private network, or of this machine itself', {
      hint: `Name it in webhooks.allowPrivate of waybill.config.ts to allow it: '${url.host}'`,
    });
  }
  return { url, addresses };
}

/** @throws WaybillError `webhook_refused` */
function parseTarget(text: string): URL {
  if (text.length > longest || !URL.canParse(text)) throw refuse('it is no URL, or longer than 2048 characters');
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw refuse('it is neither https nor http');
  if (url.username !== '' || url.password !== '') {
    throw refuse('it has a user or a password in it', { hint: 'Each request is signed: no password is needed.' });
  }
  if (url.hash !== '') throw refuse('it has a fragment, which is never sent');
  return url;
}

async function addressesOf(host: string, resolve: Resolve): Promise<CheckedTarget['addresses']> {
  const family = isIP(host);
  if (family === 4 || family === 6) return [{ address: host, family }];
  let found: Awaited<ReturnType<Resolve>>;
  try {
    found = await resolve(host);
  } catch (error) {
    throw refuse('its host has no address', { cause: error });
  }
  const addresses = found.flatMap(({ address }) => {
    const known = isIP(address);
    return known === 4 || known === 6 ? [{ address, family: known } as const] : [];
  });
  if (addresses.length === 0) throw refuse('its host has no address');
  return addresses;
}

/** Without the brackets of IPv6 and the dot at the end of a name. */
function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
}

function isAllowed(url: URL, allowPrivate: readonly string[]): boolean {
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
  const names = [url.hostname, hostOf(url)];
  const forms = new Set([...names, ...names.map((name) => `${name}:${port}`)]);
  return allowPrivate.some((each) => forms.has(each.toLowerCase()));
}

function refuse(why: string, more: { readonly hint?: string; readonly cause?: unknown } = {}): WaybillError {
  return new WaybillError('webhook_refused', `this address cannot be a webhook: ${why}`, {
    hint: 'A webhook is an https or http address of the Internet.',
    ...more,
  });
}
