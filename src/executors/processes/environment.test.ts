import { describe, expect, test } from 'vitest';
import { buildEnvironment } from './environment.ts';

const parent = {
  ...{ PATH: '/bin', HOME: '/home/u', LC_ALL: 'C', LC_TIME: 'de', TZ: 'UTC', UNSET: undefined },
  ...{
    AWS_SECRET_ACCESS_KEY: 's1',
    GITHUB_TOKEN: 's2',
    HTTPS_PROXY: 'http://u:s3@p',
    SSH_AUTH_SOCK: '/s4',
    PATHS: 's5',
  },
  ...{ NPM_CONFIG_A: '1', NPM_CONFIG_B: '2', WAYBILL_MARKER: 'outer-marker' },
};

describe('buildEnvironment', () => {
  test('R28 secrets of the parent do not pass; the harmless default does', () => {
    const environment = buildEnvironment(parent, { allow: [], set: {} });
    expect(environment).toEqual({ HOME: '/home/u', LC_ALL: 'C', LC_TIME: 'de', PATH: '/bin', TZ: 'UTC' });
  });

  test('R28 what is named passes, by name or by prefix, and what is set wins', () => {
    const environment = buildEnvironment(parent, {
      allow: ['GITHUB_TOKEN', 'NPM_CONFIG_*'],
      set: { TZ: 'CET', NEW: '' },
    });
    expect(environment).toMatchObject({ GITHUB_TOKEN: 's2', NPM_CONFIG_A: '1', NPM_CONFIG_B: '2', TZ: 'CET', NEW: '' });
    expect(Object.keys(environment)).toEqual([...Object.keys(environment)].sort());
  });

  test('the marker of an outer run never passes by this way, not even when it is allowed', () => {
    expect(buildEnvironment(parent, { allow: ['WAYBILL_*'], set: {} })).not.toHaveProperty('WAYBILL_MARKER');
  });

  test.each(['*', '', 'A=B', 'a b', 'A*B', '1A', 'A-B'])('the name %j is refused', (name) => {
    const refusal = expect.objectContaining({ code: 'invalid_argument', hint: expect.any(String) });
    expect(() => buildEnvironment(parent, { allow: [name], set: {} })).toThrow(refusal);
    expect(() => buildEnvironment(parent, { allow: [], set: { [name]: 'x' } })).toThrow(refusal);
  });

  test('a value with NUL is refused, and not shown', () => {
    const build = (): unknown => buildEnvironment(parent, { allow: [], set: { TOKEN: 'se\0cret' } });
    expect(build).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
    expect(build).not.toThrow(/cret/);
  });
});
