import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { JsonValue } from '../../contract/json.ts';
import { createLineRedactor } from './line-redactor.ts';
import { createRedactor, redactJson, redactText } from './redactor.ts';
import { secretLiterals } from './secret-literals.ts';
import { namedSecret } from './secret-name.ts';

const ledger = createRedactor('ledger');
const envelope = createRedactor('envelope');

// Put together from parts, so that no scanner takes this file for a leak.
const canary = 'c4n4ry7Zq';
const secrets: Readonly<Record<string, string>> = {
  'a password': `password=${canary}`,
  'a password in JSON': `{"user":"x","dbPassword": "${canary} with spaces"}`,
  'a password in escaped JSON': `{\\"password\\":\\"${canary}\\"}`,
  'a password in yaml': `passwd: '${canary}'`,
  'a password on a command line': `mysql --password ${canary} -h db`,
  'a secret with a name around it': `AWS_SECRET_ACCESS_KEY=${canary}${canary}`,
  'a client secret': `clientSecret => "${canary}"`,
  'a token in a query': `GET /x?token=${canary}&page=2`,
  'a signed link': `https://s3/x?X-Amz-Signature=${canary}`,
  'an API key': `api-key: ${canary}`,
  'a bearer': `use Bearer ${canary}/+==`,
  'an authorization header': `Authorization: token ${canary}`,
  'basic authorization': `curl -H "authorization: Basic ${canary}" x`,
  'a cookie': `Set-Cookie: sid=${canary}; Path=/`,
  'an AWS key': `AKIA${'C4N4RY7ZQ'.padEnd(16, '7')}`,
  'a token of our own': `wb_${canary.padEnd(43, '-')}`,
  'a GitHub token': `ghp_${canary.padEnd(36, 'a')}`,
  'a fine-grained GitHub token': `github_pat_11${canary.padEnd(30, '_')}`,
  'an OpenAI key': `key is sk-proj-${canary}${canary}${canary}`,
  'an Anthropic key': `sk-ant-api03-${canary}${canary}`,
  'a Slack token': `xoxb-123456-${canary}`,
  'a Slack webhook': `https://hooks.slack.com/services/T000/B000/${canary}`,
  'a Google key': `AIza${canary.padEnd(35, 'x')}`,
  'a GitLab token': `glpat-${canary}${canary}${canary}`,
  'a JWT': `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.${canary}`,
  'a private key': `-----BEGIN RSA PRIVATE KEY-----\nMIIE${canary}\n-----END RSA PRIVATE KEY-----`,
  'a private key cut off': `-----BEGIN PRIVATE KEY-----\nMIIE${canary}`,
  'credentials in a URL': `postgres://user:p@${canary}@db:5432/x`,
  'a token as the user of a URL': `https://${canary}${canary}@github.com/x`,
};

test.each(Object.entries(secrets))('R28 %s is redacted, what stands around it stays', (_, text) => {
  const redacted = ledger.text(`before it\n${text}\nafter it`);
  expect(redacted.text).not.toContain(canary);
  expect(redacted.text).not.toContain(canary.toUpperCase());
  expect(redacted.text).toMatch(/\[redacted:[a-z-]+\]/);
  expect(redacted.text.startsWith('before it\n')).toBe(true);
  expect(redacted.count).toBeGreaterThan(0);
  if (text !== secrets['a private key cut off']) expect(redacted.text.endsWith('\nafter it')).toBe(true);
});

test.each([
  'Tests: 12 passed, 0 failed; pass: 12',
  'PWD=/home/someone/work OLDPWD=/tmp',
  'token: 4096, max_token=12',
  'password: null, secret=false, token=""',
  'task-implement-the-login-flow-of-2026 is done',
  'the idempotency key ik:0a and the tokenizer: bpe',
  'http://localhost:3000/a@b?page=2#top ssh://git@host/x',
  'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  'run-20261122-210500-0a1b2c3d-17',
  'eyJustAWord and a bearer of news',
])('R28 nothing is taken from %j', (text) => {
  expect(ledger.text(text)).toEqual({ text, count: 0 });
});

test('F5 no run id is taken for a card number, whatever its digits', () => {
  const ids = Array.from({ length: 300 }, (_, n) => `run-20261122-${String(223_000 + n)}-${String(60_000_000 + n)}`);
  const text = `failed: ${ids.join(', ')}`;
  expect(envelope.text(text)).toEqual({ text, count: 0 });
});

test('F5 the envelope profile also takes e-mail, card numbers and long opaque strings', () => {
  const opaque = `${canary.repeat(6)}`;
  const text = `jane.doe+x@mail.example.org paid with 4111 1111 1111 1111 and 5500-0000-0000-0004, ${opaque}`;
  expect(envelope.text(text)).toEqual({
    text: '[redacted:email] paid with [redacted:card] and [redacted:card], [redacted:opaque]',
    count: 4,
  });
  expect(ledger.text(text).count).toBe(0);
  expect(envelope.json({ paid: 4111111111111111, at: 1763846463000000 })).toEqual({
    value: { paid: '[redacted:card]', at: 1763846463000000 },
    count: 1,
  });
  const digest = `sha256:${'0a'.repeat(32)}`;
  expect(envelope.text(`${digest} err_${'0a'.repeat(16)} 4111 1111 1111 1112`).count).toBe(0);
});

test('R28 a name that promises a secret takes the whole value, in JSON of any shape', () => {
  expect(
    ledger.json({
      password: `${canary} x`,
      nested: { apiKey: canary, tokens: [canary, { deep: canary }], inputTokens: 12, token: 7 },
      argv: ['login', '--token', canary, '--verbose', 'x'],
      env: [{ name: 'DB_PASSWORD', value: canary }],
      pin: { password: 1234 },
      text: `password=${canary}`,
      empty: { secret: '' },
    }),
  ).toEqual({
    value: {
      password: '[redacted:password]',
      nested: {
        apiKey: '[redacted:key]',
        tokens: ['[redacted:token]', { deep: '[redacted:token]' }],
        inputTokens: 12,
        token: 7,
      },
      argv: ['login', '--token', '[redacted:token]', '--verbose', 'x'],
      env: [{ name: 'DB_PASSWORD', value: '[redacted:password]' }],
      pin: { password: '[redacted:password]' },
      text: 'password=[redacted:password]',
      empty: { secret: '' },
    },
    count: 8,
  });
});

test('R28 a clean value comes back as the same object, a secret key is redacted too, __proto__ stays a key', () => {
  const clean = { a: [1, 'two', { three: null }], publicKey: 'x', secretName: 'y', idempotencyKey: 'z' };
  expect(ledger.json(clean)).toEqual({ value: clean, count: 0 });
  expect(ledger.json(clean).value).toBe(clean);
  const token = `ghp_${canary.padEnd(36, 'a')}`;
  const hostile: JsonValue = JSON.parse(`{"__proto__":{"password":"${canary}"},"${token}":1,"x${token}":2}`);
  const text = JSON.stringify(ledger.json(hostile).value);
  expect(text).toBe(
    '{"__proto__":{"password":"[redacted:password]"},"[redacted:github-token]":1,"x[redacted:github-token]":2}',
  );
});

test('R28 a value nested deeper than anyone reads is redacted whole, without a crash', () => {
  const deep: JsonValue = JSON.parse(`${'['.repeat(100_000)}"password=${canary}"${']'.repeat(100_000)}`);
  const redacted = ledger.json(deep);
  expect(redacted.count).toBe(1);
  expect(JSON.stringify(redacted.value)).toContain('[redacted:too-deep]');
});

test('R28 values of environment variables with secret names are known secrets, in every form they take', () => {
  const literals = secretLiterals({
    MY_API_KEY: `a"b/${canary}`,
    NPM_TOKEN: 'short',
    PWD: '/home/someone/here',
    HOME: '/home/someone',
    NONE_SECRET: undefined,
  });
  expect(literals).toHaveLength(3);
  const known = createRedactor('ledger', literals);
  for (const form of [`a"b/${canary}`, JSON.stringify(`a"b/${canary}`), encodeURIComponent(`a"b/${canary}`)]) {
    expect(known.text(`<${form}> in /home/someone/here`).text).not.toContain(canary);
  }
});

test('R28 configured texts and expressions are redacted wherever they stand, the longest text first', () => {
  const known = createRedactor('ledger', ['abc', 'abcdef', /customer-\d+/i, /x*/, '']);
  expect(known.text('abcdef abc CUSTOMER-17 xx y')).toEqual({
    text: '[redacted:known-secret] [redacted:known-secret] [redacted:configured] [redacted:configured] y',
    count: 4,
  });
  expect(known.json({ customer: ['customer-1', 'customer'] })).toEqual({
    value: { customer: ['[redacted:configured]', 'customer'] },
    count: 1,
  });
});

test('R28 a private key that comes line by line is redacted line by line', () => {
  const redact = createLineRedactor(ledger);
  const lines = [
    'start',
    '-----BEGIN PRIVATE KEY-----',
    `MIIE${canary}`,
    `${canary}`,
    '-----END PRIVATE KEY-----.',
    'go on',
  ];
  expect(lines.map((line) => redact(line).text)).toEqual([
    'start',
    '[redacted:private-key]',
    '[redacted:private-key]',
    '[redacted:private-key]',
    '[redacted:private-key].',
    'go on',
  ]);
  redact('-----BEGIN PRIVATE KEY-----');
  const after = Array.from({ length: 500 }, () => redact('a line').text);
  expect(after.at(-1)).toBe('a line');
});

const line = fc.constantFrom(
  ...Object.values(secrets),
  'a plain line',
  'password: ',
  '[redacted:x]',
  'a\\',
  '"',
  "'",
  '://',
);

test('R28 however secrets are mixed, none survives, and redacting again finds none', () => {
  for (const redactor of [ledger, envelope]) {
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
        const once = redactor.text(lines.join('\n'));
        expect(once.text).not.toContain(canary);
        expect(redactor.text(once.text)).toEqual({ text: once.text, count: 0 });
      }),
      { numRuns: 1000 },
    );
  }
});

// The work is counted by doubling the input: linear time at most doubles, quadratic time takes four times as long.
test('R28 the time is linear in the length of hostile text', () => {
  const pieces = [
    'a',
    '7',
    '7 ',
    'eyJ',
    'eyJ.',
    '://',
    '://a:',
    'a@',
    'password=',
    'password="',
    '--token-',
    'sk-',
    '-----BEGIN PRIVATE KEY',
  ];
  pieces.push(
    'password: \\"',
    "secret='",
    'bearer ',
    '\\',
    'a.',
    '@a.',
    'x-',
    '=',
    '-----END ',
    'authorization:',
    '4111 ',
    '"token"',
    'key ',
  );
  const time = (piece: string, length: number): number => {
    const source = piece.repeat(Math.ceil(length / piece.length));
    const times = [0, 1, 2].map(() => {
      const start = process.cpuUsage().user;
      envelope.text(source);
      return process.cpuUsage().user - start;
    });
    return Math.min(...times);
  };
  for (const piece of pieces) {
    const [short, long] = [time(piece, 50_000), time(piece, 400_000)];
    // Eight times the text: 8 when linear, 64 when quadratic; what is too fast to measure cannot be quadratic.
    if (long > 200_000) expect(long / Math.max(short, 1), `repeated ${JSON.stringify(piece)}`).toBeLessThan(30);
  }
}, 60_000);

test('names: the last word decides', () => {
  for (const name of [
    'password',
    'DB_PASSWORD',
    'newPassword2',
    'X-Auth-Token',
    'apiKey',
    'AWS_SECRET_ACCESS_KEY',
    '--client-secret',
  ]) {
    expect(namedSecret(name), name).toBeDefined();
  }
  for (const name of [
    'passed',
    'tokenizer',
    'maxTokenCount',
    'secretName',
    'publicKey',
    'primary_key',
    'key',
    '',
    'PWD',
    'author',
  ]) {
    expect(namedSecret(name), name).toBeUndefined();
  }
});

test('the redactor of the process is used by default, with the profile of the ledger', () => {
  expect(redactText(`password=${canary} a@b.example`)).toEqual({
    text: 'password=[redacted:password] a@b.example',
    count: 1,
  });
  expect(redactText('a@b.example', 'envelope').count).toBe(1);
  expect(redactJson({ token: canary }).count).toBe(1);
});
