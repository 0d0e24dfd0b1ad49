import type { Configuration } from '../contract/configuration.ts';

/** What the configuration says must never be stored. */
export function configuredSecrets({ redact }: Pick<Configuration, 'redact'>): (string | RegExp)[] {
  const values = redact.env.map((name) => process.env[name] ?? '').filter((value) => value !== '');
  return [...values, ...redact.patterns];
}
