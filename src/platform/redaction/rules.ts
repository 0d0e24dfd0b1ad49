/**
 * One kind of secret in text. Every pattern is linear: it begins with literal text, or where no character of its
 * own class precedes it, and what is optional behind the beginning cannot make it fail far from there.
 */
export interface Rule {
  readonly kind: string;
  readonly pattern: RegExp;
  /** What to put in place of a match; the match itself when it is none after all. Without it the marker replaces all. */
  readonly replace?: (match: RegExpExecArray, marker: string) => string;
}

const marker = /^\[redacted:[a-z-]{1,40}\]$/;
const bearerShape = /^(?:[Bb]earer|[Bb]asic)$/;
/** Values that a secret's name may have beside it without there being a secret. */
const harmless = /^(?:true|false|null|undefined|none|nil|yes|no)?[,;.)\]}]*$/i;
/** `token: 12`, `max_token=4096` are counts. */
const count = /^\d{1,7}[,;.)\]}]*$/;

/** In quotes, escaped or not, up to the closing one or the end of the line; or bare, up to a space. Groups 2, 3 and 4. */
const value = String.raw`(\\?["'])((?:(?!\2)[^\\\r\n]|(?!\2)\\.)*)|([^\s"'&]+)`;

/** `name=value`, `"name": "value"`, `--name value`: keeps the name, so that a reader knows what stood there. */
function named(kind: string, names: string): Rule {
  const name = String.raw`(?:${names})(?:[_-]?\d{1,3}|[_-]?value)?`;
  return {
    kind,
    pattern: new RegExp(
      String.raw`(${name}\\?["']?(?:[ \t]{0,4}(?:=>?|:)[ \t]{0,4}|(?<=--[\w-]{1,40})[ \t]))(?:${value})`,
      'gi',
    ),
    replace: (match, mark) => {
      const [all, before = '', quote = '', quoted, bare] = match;
      const secret = quoted ?? bare ?? '';
      if (harmless.test(secret) || marker.test(secret) || (kind === 'token' && count.test(secret))) return all;
      // A scheme is no secret, what follows it is: the rules of bearer and basic see to it.
      if (bearerShape.test(secret)) return all;
      if (before.slice(0, 3) === 'PWD' && secret.startsWith('/')) return all;
      return `${before}${quote}${mark}`;
    },
  };
}

const needsDigit: Rule['replace'] = (match, mark) => (/\d/.test(match[0]) ? mark : match[0]);

/** In the order in which they are applied: what has a clear end first, names last. */
export const secretRules: readonly Rule[] = [
  {
    kind: 'private-key',
    pattern:
      /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|$)/g,
  },
  {
    kind: 'url-credentials',
    pattern: /:\/\/(?:(?:\[redacted:[a-z-]{1,40}\]|[^\s/?#@:"'[]*):[^\s/?#"']*|[^\s/?#@:"'[]{16,})@/g,
    replace: (_, mark) => `://${mark}@`,
  },
  {
    kind: 'url-credentials',
    pattern: /([?&](?:sig|signature|x-amz-signature|x-amz-credential|key|code)=)([^\s&#"']{8,})/gi,
    replace: (match, mark) => (marker.test(match[2] ?? '') ? match[0] : `${match[1]}${mark}`),
  },
  {
    kind: 'authorization',
    pattern: /((?:proxy-)?authorization\\?["']?[ \t]{0,4}[:=][ \t]{0,4}\\?["']?)([^\r\n"'\\]+)/gi,
    replace: (match, mark) => (marker.test(match[2] ?? '') ? match[0] : `${match[1]}${mark}`),
  },
  {
    kind: 'cookie',
    pattern: /((?<![A-Za-z0-9])(?:set-)?cookie\\?["']?:[ \t]{0,4}\\?["']?)([^\r\n"'\\]+)/gi,
    replace: (match, mark) => (marker.test(match[2] ?? '') ? match[0] : `${match[1]}${mark}`),
  },
  {
    kind: 'jwt',
    pattern: /eyJ[\w-]*(?:\.[\w-]*)*/g,
    replace: (match, mark) => (/^[\w-]{10,}\.[\w-]{8,}\./.test(match[0]) ? mark : match[0]),
  },
  {
    kind: 'bearer',
    pattern: /((?<![A-Za-z0-9])bearer\s{1,4})([A-Za-z0-9._~+/=-]{8,})/gi,
    replace: (match, mark) => `${match[1]}${mark}`,
  },
  { kind: 'waybill-token', pattern: /wb_[\w-]{43}/g },
  { kind: 'aws-key', pattern: /(?:AKIA|ASIA|AROA|AIDA|AGPA|ANPA|ANVA|ABIA|ACCA)[A-Z0-9]{16}/g },
  { kind: 'github-token', pattern: /gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}/g },
  { kind: 'gitlab-token', pattern: /glpat-[\w-]{20,}/g },
  { kind: 'npm-token', pattern: /npm_[A-Za-z0-9]{36}/g },
  { kind: 'anthropic-key', pattern: /sk-ant-[\w-]{16,}/g },
  { kind: 'openai-key', pattern: /(?<![A-Za-z0-9_-])sk-[\w-]{20,}/g, replace: needsDigit },
  { kind: 'openai-key', pattern: /(?<=\\[nrt])sk-[\w-]{20,}/g, replace: needsDigit },
  { kind: 'slack-token', pattern: /xox[abeoprs]-[\w-]{10,}|xapp-[\w-]{10,}/g },
  { kind: 'slack-webhook', pattern: /hooks\.slack\.com\/(?:services|workflows)\/[\w/-]{16,}/g },
  { kind: 'google-key', pattern: /AIza[\w-]{35}|ya29\.[\w-]{20,}|GOCSPX-[\w-]{20,}/g },
  { kind: 'stripe-key', pattern: /[prs]k_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/=]{16,}/g },
  named('password', 'password|passwd|passphrase|(?<![A-Za-z])pwd'),
  named('key', '(?:api|access|private|secret|signing|encryption|account)[_-]?key'),
  named('secret', 'secret'),
  named('token', 'token'),
  named('credential', 'credentials?'),
];

/** Everything above begins with, or contains, one of these; most texts hold none and are done after this one look. */
export const secretHint =
  /-----BEGIN|:\/\/|[?&](?:sig|key|code|x-amz)|authorization|cookie|eyJ|bearer|A(?:KIA|SIA|ROA|IDA|GPA|NPA|NVA|BIA|CCA)|wb_|gh[pousr]_|github_pat|glpat|npm_|sk-|xox|xapp-|slack|AIza|ya29|GOCSPX|[prs]k_|whsec|pass|pwd|key|secret|token|credential/i;

/**
 * Card numbers as they are written: in one piece, in fours, or 4-6-5 and 4-6-4. Digits grouped otherwise are something
 * else; the date in a run id is, and every tenth of those passes the check digit.
 */
const cardPattern =
  /(?<!\d)(?:[2-6]\d{12,18}|[2-6]\d{3}([ -])\d{4}\1\d{4}\1\d{1,4}(?:\1\d{1,3})?|3\d{3}([ -])\d{6}\2\d{4,5})(?!\d)/g;

/** Personal data and whatever is too long to be a word: taken out of envelopes as well. */
export const envelopeRules: readonly Rule[] = [
  {
    kind: 'email',
    pattern: /(?<![\w.%+-])[\w.%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+/g,
  },
  {
    kind: 'card',
    pattern: cardPattern,
    replace: (match, mark) => (passesLuhn(match[0]) ? mark : match[0]),
  },
  {
    kind: 'opaque',
    pattern: /(?<![\w+=-])(?:sha256:|ik:)?[\w+=-]{48,}/g,
    replace: (match, mark) => (looksOpaque(match[0]) ? mark : match[0]),
  },
];

/** Long, and neither words nor one of our own digests. */
function looksOpaque(text: string): boolean {
  if (/^(?:sha256:|ik:)[0-9a-f]{64}$/.test(text)) return false;
  return /\d/.test(text) && /[A-Za-z]/.test(text);
}

/** The check digit of payment cards (ISO/IEC 7812-1, annex B). */
export function passesLuhn(text: string): boolean {
  const digits = text.replaceAll(/\D/g, '');
  let sum = 0;
  for (let index = 0; index < digits.length; index++) {
    const digit = Number(digits.at(-1 - index));
    const doubled = index % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return digits.length >= 13 && sum % 10 === 0;
}
