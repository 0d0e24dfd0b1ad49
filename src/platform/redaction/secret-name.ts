/** What a name promises about the value it names, as the marker says it. */
export type NamedSecret = 'password' | 'secret' | 'token' | 'key' | 'credential' | 'authorization' | 'cookie';

const kinds: ReadonlyMap<string, NamedSecret> = new Map([
  ['password', 'password'],
  ['passwords', 'password'],
  ['passwd', 'password'],
  ['passphrase', 'password'],
  ['pwd', 'password'],
  ['secret', 'secret'],
  ['secrets', 'secret'],
  ['token', 'token'],
  ['tokens', 'token'],
  ['bearer', 'token'],
  ['jwt', 'token'],
  ['apikey', 'key'],
  ['accesskey', 'key'],
  ['privatekey', 'key'],
  ['secretkey', 'key'],
  ['credential', 'credential'],
  ['credentials', 'credential'],
  ['authorization', 'authorization'],
  ['cookie', 'cookie'],
]);
/** Words that make a `key` a secret one; a public, primary or idempotency key is none. */
const secretKeys = new Set(['api', 'access', 'private', 'secret', 'signing', 'encryption', 'auth', 'account']);
/** Words that may follow without changing what is named: `password2`, `secretValue`. */
const trailers = new Set(['value', 'text', 'plain', 'raw', 'hash', 'confirm', 'confirmation', 'again', 'new', 'old']);
/** The working directory, which every shell puts into the environment. */
const folders = new Set(['PWD', 'OLDPWD']);
const longestName = 256;

/**
 * Says whether a name (of a field, an environment variable, a command-line flag) belongs to a secret: `DB_PASSWORD`,
 * `clientSecret`, `--api-key`. Its last word decides, so `tokenizer`, `inputTokenCount` and `secretName` are none.
 */
export function namedSecret(name: string): NamedSecret | undefined {
  if (name.length > longestName) return undefined;
  const known = answers.get(name);
  if (known !== undefined) return known === 'none' ? undefined : known;
  const answer = judge(name);
  if (answers.size < mostAnswers) answers.set(name, answer ?? 'none');
  return answer;
}

/** Field names repeat: each is judged once. Bounded, because names may come from outside. */
const answers = new Map<string, NamedSecret | 'none'>();
const mostAnswers = 4096;

function judge(name: string): NamedSecret | undefined {
  if (folders.has(name)) return undefined;
  const words = wordsOf(name);
  while (words.length > 1 && trailers.has(words.at(-1) ?? '')) words.pop();
  const last = words.at(-1);
  if (last === undefined) return undefined;
  if (last === 'key' || last === 'keys') return secretKeys.has(words.at(-2) ?? '') ? 'key' : undefined;
  return kinds.get(last);
}

function wordsOf(name: string): string[] {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z]+/)
    .filter((word) => word !== '');
}
