import { namedSecret } from './secret-name.ts';

const shortest = 8;

/**
 * The secrets of an environment: values of at least 8 characters under a name that promises one (`NPM_TOKEN`,
 * `DB_PASSWORD`), longest first, each also in the forms it takes inside JSON and URLs.
 */
export function secretLiterals(environment: Readonly<Record<string, string | undefined>>): readonly string[] {
  const found = new Set<string>();
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined || value.length < shortest || namedSecret(name) === undefined) continue;
    const wellFormed = value.toWellFormed();
    found.add(value);
    found.add(JSON.stringify(value).slice(1, -1));
    found.add(encodeURIComponent(wellFormed));
  }
  return [...found].sort((a, b) => b.length - a.length);
}
