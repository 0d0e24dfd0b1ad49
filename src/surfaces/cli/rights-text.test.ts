import { expect, test } from 'vitest';
import { expiry, repoGrant, rightsText, workspaceRole } from './rights-text.ts';

test('G21 when a token ends is typed as a span from now or as a time in UTC', () => {
  const spans = { '45m': 2_700, '12h': 43_200, '30d': 2_592_000 };
  for (const [typed, seconds] of Object.entries(spans)) {
    const before = Date.now();
    const at = Date.parse(expiry(typed)) - seconds * 1_000;
    expect(at).toBeGreaterThanOrEqual(before);
    expect(at).toBeLessThanOrEqual(Date.now());
  }
  expect(expiry('2026-12-31T00:00Z')).toBe('2026-12-31T00:00:00.000Z');
  expect(expiry('2026-12-31T23:59:59.5Z')).toBe('2026-12-31T23:59:59.500Z');
  for (const typed of [
    '',
    '30',
    'd',
    '0d',
    '-1d',
    '1.5d',
    '30s',
    '1w',
    'tomorrow',
    '2026-12-31',
    '2026-12-31T00:00:00',
    '2026-13-01T00:00:00Z',
    '2026-12-31T00:00:00+01:00',
    '9999999d',
  ]) {
    expect(() => expiry(typed), typed).toThrow(/UTC/);
  }
});

test('G20 a grant is typed REPO=ROLE', () => {
  expect(repoGrant('local=publish')).toEqual({ repo: 'local', role: 'publish' });
  for (const typed of ['', 'local', '=read', 'local=', 'local=runner', 'Local=read', 'a/b=read', 'local=read=write']) {
    expect(() => repoGrant(typed), typed).toThrow(/REPO=ROLE/);
  }
  expect(workspaceRole('auditor')).toBe('auditor');
  expect(() => workspaceRole('read')).toThrow(/runner, operator, auditor, admin/);
  const repos = [repoGrant('a=read'), repoGrant('b=admin')];
  expect(rightsText({ role: 'runner', repos })).toBe('runner, a=read, b=admin');
  expect(rightsText({ role: null, repos })).toBe('a=read, b=admin');
});
