import { describe, expect, test } from 'vitest';
import { checkTarget } from './check-target.ts';
import { isRefusedAddress } from './refused-addresses.ts';
import { retryAfterMs } from './retry-after.ts';

const resolve = (addresses: readonly string[]) => async () =>
  addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
const publicAddress = resolve(['93.184.215.14', '2606:2800:21f:cb07:6820:80da:af6b:8b2c']);

describe('where a webhook may be', () => {
  test.each([
    '127.0.0.1',
    '127.255.255.254',
    '0.0.0.0',
    '10.1.2.3',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '100.127.255.255',
    '192.0.0.1',
    '198.18.0.1',
    '203.0.113.9',
    '224.0.0.1',
    '239.255.255.255',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::ffff:10.0.0.1',
    '0:0:0:0:0:ffff:a9fe:a9fe',
    '::127.0.0.1',
    'fc00::1',
    'fd12:3456::1',
    'fe80::1',
    'fe80::1%eth0',
    'fec0::1',
    'ff02::1',
    '64:ff9b::7f00:1',
    '64:ff9b:1::1',
    '100::1',
    '2001::1',
    '2001:db8::1',
    '2002:7f00:1::',
    '3fff::1',
    '5f00::1',
    'no address',
    '',
  ])('G18 %s is refused', (address) => {
    expect(isRefusedAddress(address)).toBe(true);
  });

  test.each([
    '93.184.215.14',
    '1.1.1.1',
    '172.32.0.1',
    '100.128.0.1',
    '::ffff:1.1.1.1',
    '2606:4700:4700::1111',
    '2a00:1450::1',
  ])('G18 %s is an address of the Internet', (address) => {
    expect(isRefusedAddress(address)).toBe(false);
  });

  test.each([
    'http://127.0.0.1/',
    'http://127.1/',
    'http://2130706433/',
    'http://0x7f.0.0.1/',
    'http://0177.0.0.1/',
    'http://[::1]/',
    'http://[::ffff:127.0.0.1]:8080/',
    'http://[fd00::1]/x',
    'https://169.254.169.254/latest/meta-data',
    'http://0/',
  ])('G18 %s is refused however it is written', async (url) => {
    await expect(checkTarget(url, [], publicAddress)).rejects.toMatchObject({ code: 'webhook_refused' });
  });

  test.each([
    'ftp://example.com/',
    'file:///etc/passwd',
    'https://user@example.com/',
    'https://u:p@example.com/',
    'https://example.com/#x',
    'example.com',
    '',
    'https://',
    `https://example.com/${'x'.repeat(3_000)}`,
    'javascript:alert(1)',
  ])('G18 %s is no webhook', async (url) => {
    await expect(checkTarget(url, ['example.com'], publicAddress)).rejects.toMatchObject({ code: 'webhook_refused' });
  });

  test('G18 a name is refused when any of its addresses is private, or when it has none', async () => {
    const ask = (addresses: readonly string[]) =>
      checkTarget('https://hooks.example.com/a?b=c', [], resolve(addresses));
    for (const wrong of [['10.0.0.1'], ['93.184.215.14', '127.0.0.1'], ['93.184.215.14', '::1'], [], ['nonsense']]) {
      await expect(ask(wrong)).rejects.toMatchObject({ code: 'webhook_refused' });
    }
    const failing = () => Promise.reject(new Error('no such name'));
    await expect(checkTarget('https://x.invalid/', [], failing)).rejects.toMatchObject({ code: 'webhook_refused' });
    const { url, addresses } = await ask(['93.184.215.14']);
    expect([url.href, addresses]).toEqual([
      'https://hooks.example.com/a?b=c',
      [{ address: '93.184.215.14', family: 4 }],
    ]);
  });

  test('G18 what is private is allowed by its host, or by its host and port, and nothing beside it', async () => {
    const cases: readonly (readonly [string, readonly string[], boolean])[] = [
      ['http://127.0.0.1:8080/', ['127.0.0.1'], true],
      ['http://127.0.0.1:8080/', ['127.0.0.1:8080'], true],
      ['http://127.0.0.1:8080/', ['127.0.0.1:8081'], false],
      ['http://127.0.0.1/', ['127.0.0.1:80'], true],
      ['https://127.0.0.1/', ['127.0.0.1:443'], true],
      ['http://127.0.0.2/', ['127.0.0.1'], false],
      ['http://[::1]:9/', ['[::1]:9'], true],
      ['http://[::1]:9/', ['::1'], true],
      ['http://Internal.Example:9/', ['internal.example'], true],
      ['http://internal.example:9/', ['INTERNAL.example:9'], true],
      ['http://other.internal.example:9/', ['internal.example'], false],
    ];
    for (const [url, allowed, fine] of cases) {
      const asked = checkTarget(url, allowed, resolve(['10.0.0.1'])).then(() => true);
      if (fine) expect(await asked).toBe(true);
      else await expect(asked).rejects.toMatchObject({ code: 'webhook_refused' });
    }
  });
});

test('G18 Retry-After is seconds or a date, and anything else is nothing', () => {
  const now = Date.parse('2026-11-23T00:00:00Z');
  const cases: readonly (readonly [string | undefined, number | null])[] = [
    [undefined, null],
    ['0', 0],
    ['120', 120_000],
    [' 7 ', 7_000],
    ['Mon, 23 Nov 2026 00:01:00 GMT', 60_000],
    ['Mon, 23 Nov 2020 00:01:00 GMT', null],
    ['-5', null],
    ['soon', null],
    ['99999999999999999999', null],
  ];
  for (const [header, wait] of cases) expect(retryAfterMs(header, now), String(header)).toBe(wait);
});
