/** Names a package cannot have: npm makes a folder of the first, browsers ask for the second. */
const reserved: readonly string[] = ['node_modules', 'favicon.ico'];

/** The rules for new packages of https://github.com/npm/validate-npm-package-name, each violation in words. */
export function npmNameProblems(name: string): readonly string[] {
  if (name === '') return ['must not be empty'];
  const problems: string[] = [];
  if (name.length > 214) problems.push('must have at most 214 characters');
  if (name !== name.toLowerCase()) problems.push('must not have capital letters');
  if (name.trim() !== name) problems.push('must not begin or end with a space');
  const scoped = name.startsWith('@');
  const slash = name.indexOf('/');
  const [scope, base] = scoped && slash !== -1 ? [name.slice(1, slash), name.slice(slash + 1)] : [undefined, name];
  if (scoped && slash === -1) problems.push('must have a slash after its scope: @scope/name');
  if (scope === '') problems.push('must have a scope between "@" and "/"');
  if (base === '') problems.push('must have a name after its scope');
  if (base.startsWith('.') || scope?.startsWith('.') === true) problems.push('must not begin with "."');
  if (base.startsWith('_')) problems.push('must not begin with "_"');
  const own = scope === undefined && scoped ? base.slice(1) : base;
  if (!isUrlSafe(own) || (scope !== undefined && !isUrlSafe(scope))) {
    problems.push('must hold only characters that need no escape in an address');
  }
  if (/[~'!()*]/.test(name)) problems.push("must not have any of ~ ' ! ( ) *");
  if (reserved.includes(base.toLowerCase())) problems.push(`must not be ${base.toLowerCase()}`);
  return problems;
}

function isUrlSafe(text: string): boolean {
  return text.isWellFormed() && encodeURIComponent(text) === text;
}

/** The whole grammar of https://semver.org, 2.0.0; the limits are those of https://github.com/npm/node-semver. */
export function semverProblems(version: string): readonly string[] {
  const problems: string[] = [];
  if (version.length > 256) return ['must have at most 256 characters'];
  const parts = /^([^-+]*)(?:-([^+]*))?(?:\+(.*))?$/s.exec(version);
  const [, core = '', prerelease, build] = parts ?? [];
  const numbers = core.split('.');
  if (numbers.length !== 3 || !numbers.every((each) => /^\d+$/.test(each))) {
    problems.push('must be a semantic version: three numbers, as 1.2.3');
  } else {
    if (numbers.some((each) => /^0\d/.test(each))) problems.push('must have no number that begins with 0');
    if (numbers.some((each) => Number(each) > Number.MAX_SAFE_INTEGER)) {
      problems.push(`must have no number above ${Number.MAX_SAFE_INTEGER}`);
    }
  }
  for (const [what, text] of [
    ['prerelease', prerelease],
    ['build', build],
  ] as const) {
    if (text === undefined) continue;
    const identifiers = text.split('.');
    if (!identifiers.every((each) => /^[0-9A-Za-z-]+$/.test(each))) {
      problems.push(`must have a ${what} of letters, digits and "-" between dots`);
    }
    if (what === 'prerelease' && identifiers.some((each) => /^0\d+$/.test(each))) {
      problems.push('must have no number in its prerelease that begins with 0');
    }
  }
  return problems;
}
