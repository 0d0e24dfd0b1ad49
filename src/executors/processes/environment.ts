import { WaybillError } from '../../contract/errors.ts';
import { markerVariable } from './process-table.ts';

/**
 * What passes from our environment into that of a program without being asked for: where to find programs, homes and
 * temporary folders, who and in which language the user is, how the terminal looks, where public certificates
 * lie. Nothing in here is a secret; everything else (tokens, proxies with passwords, agent sockets) must be named.
 */
export const passedByDefault: readonly string[] = [
  ...['PATH', 'HOME', 'USER', 'LOGNAME', 'SHELL', 'TMPDIR', 'TMP', 'TEMP'],
  ...['LANG', 'LANGUAGE', 'LC_*', 'TZ'],
  ...['TERM', 'COLORTERM', 'NO_COLOR', 'FORCE_COLOR', 'CI'],
  ...['XDG_CONFIG_HOME', 'XDG_CACHE_HOME', 'XDG_DATA_HOME', 'XDG_STATE_HOME'],
  ...['SSL_CERT_FILE', 'SSL_CERT_DIR', 'NODE_EXTRA_CA_CERTS'],
];

export interface EnvironmentRules {
  /** Names that may pass beyond the default ones; `PREFIX_*` stands for all that begin so. */
  readonly allow: readonly string[];
  /** Values set whatever the parent has. */
  readonly set: Readonly<Record<string, string>>;
}

/**
 * The complete environment of a program: from `parent` only what is allowed, then `set`. Names are in sorted order,
 * so that equal environments are equal text.
 * @throws WaybillError `invalid_argument` for a name or value no environment can hold, and for `*` alone, which
 * would let every secret of the parent pass.
 */
export function buildEnvironment(parent: Readonly<NodeJS.ProcessEnv>, rules: EnvironmentRules): Record<string, string> {
  const allowed = [...passedByDefault, ...rules.allow.map(checkPattern)];
  const passes = (name: string): boolean =>
    allowed.some((pattern) => (pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern));
  const environment = new Map<string, string>();
  for (const [name, value] of Object.entries(parent)) {
    if (value !== undefined && name !== markerVariable && passes(name)) environment.set(name, value);
  }
  for (const [name, value] of Object.entries(rules.set)) {
    if (!shellName.test(name) || value.includes('\0')) throw refused(name);
    environment.set(name, value);
  }
  return Object.fromEntries([...environment].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Other names are dropped by the shell that holds a program at its gate, so we refuse to promise them. */
const shellName = /^[A-Za-z_][A-Za-z0-9_]*$/;

function checkPattern(pattern: string): string {
  if (!/^[A-Za-z_][A-Za-z0-9_]*\*?$/.test(pattern)) throw refused(pattern);
  return pattern;
}

function refused(name: string): WaybillError {
  return new WaybillError(
    'invalid_argument',
    `not an environment variable that can be passed: ${JSON.stringify(name)}`,
    {
      hint: 'A name has letters, digits and _; an allowed one may end in * after at least one letter. A value holds no NUL.',
    },
  );
}
