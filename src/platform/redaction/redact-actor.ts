/**
 * Redacts who acted. In a text `token:ci` looks like a secret and its value; as an actor it is the name of a token, and
 * a record that does not say who it was is worth nothing. So only what follows the kind is redacted.
 */
export function redactActor(actor: string, redact: (text: string) => string): string {
  const kind = /^(?:local|token):/.exec(actor)?.[0] ?? '';
  return `${kind}${redact(actor.slice(kind.length))}`;
}
