import { BlockList, isIP } from 'node:net';

/**
 * Everything that is not an ordinary address of the Internet, after the IANA registries of special-purpose addresses
 * (RFC 6890 and later). Forms of IPv6 that carry an IPv4 address are in it whole, but for the mapped one, which is taken
 * for the IPv4 address it is.
 */
// Two lists: one alone would hold an IPv4 address against the IPv6 ranges too.
const refused4 = new BlockList();
const refused6 = new BlockList();
const ranges4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const;
/** Ordinary IPv6 addresses are in 2000::/3; these are those within it that are not, and all that is outside. */
const ranges6 = [
  ['::', 3],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
  ['4000::', 2],
  ['8000::', 1],
] as const;
for (const [net, prefix] of ranges4) refused4.addSubnet(net, prefix, 'ipv4');
for (const [net, prefix] of ranges6) refused6.addSubnet(net, prefix, 'ipv6');

/** True for an address that nobody outside of a private network has; also for what is no address. */
export function isRefusedAddress(text: string): boolean {
  const [address = ''] = text.split('%', 1);
  switch (isIP(text)) {
    case 4:
      return refused4.check(address, 'ipv4');
    case 6: {
      const mapped = mappedAddress(address);
      return mapped === null ? refused6.check(address, 'ipv6') : refused4.check(mapped, 'ipv4');
    }
    default:
      return true;
  }
}

/** The IPv4 address of `::ffff:a.b.c.d`, however it is written; null for any other. */
function mappedAddress(address: string): string | null {
  // The URL parser writes every IPv6 address in one form, the mapped ones as `::ffff:7f00:1`.
  const url = `http://[${address}]`;
  const host = URL.canParse(url) ? new URL(url).hostname : '';
  const [, high, low] = /^\[::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})\]$/.exec(host) ?? [];
  if (high === undefined || low === undefined) return null;
  const [a, b] = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return `${a >> 8}.${a & 255}.${b >> 8}.${b & 255}`;
}
