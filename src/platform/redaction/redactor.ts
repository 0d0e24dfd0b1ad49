import type { JsonValue } from '../../contract/json.ts';
import { redactJsonWith } from './redact-json.ts';
import { envelopeRules, type Rule, secretHint, secretRules } from './rules.ts';
import { secretLiterals } from './secret-literals.ts';

/**
 * `ledger`: secrets, for what a run keeps (inputs, events, logs, receipts).
 * `envelope`: also e-mail addresses, card numbers and long opaque strings, for what operators read.
 */
export type RedactionProfile = 'ledger' | 'envelope';

export interface RedactedText {
  readonly text: string;
  /** How many secrets were taken out; 0 leaves the text as it was. */
  readonly count: number;
}

export interface RedactedJson {
  readonly value: JsonValue;
  readonly count: number;
}

export interface Redactor {
  text(text: string): RedactedText;
  json(value: JsonValue): RedactedJson;
}

/**
 * A redactor that replaces what looks like a secret by `[redacted:<kind>]`, and what is configured wherever it
 * stands: a text as it is, an expression by its matches. Markers of an earlier redaction stay as they are. The time
 * is linear in the length of the text, as far as the configured expressions are.
 */
export function createRedactor(profile: RedactionProfile, configured: readonly (string | RegExp)[] = []): Redactor {
  const literals = configured
    .filter((known): known is string => typeof known === 'string')
    .filter((known) => known !== '')
    .toSorted((a, b) => b.length - a.length);
  const expressions = configured.filter((known): known is RegExp => known instanceof RegExp).map(configuredRule);
  const text = (source: string): RedactedText => {
    const literal = replaceLiterals(source, literals);
    const known = expressions.length === 0 ? literal : applyRules(literal, expressions);
    const secrets = secretHint.test(known.text) ? applyRules(known, secretRules) : known;
    return profile === 'envelope' ? applyRules(secrets, envelopeRules) : secrets;
  };
  const cleanFields = new Set<string>();
  return { text, json: (value) => redactJsonWith(text, cleanFields, value) };
}

/** An expression may match nothing at a place (`x*`); there is nothing to redact there then. */
function configuredRule({ source, flags }: RegExp): Rule {
  const pattern = new RegExp(source, `${flags.replaceAll(/[gy]/g, '')}g`);
  return { kind: 'configured', pattern, replace: (match, marker) => (match[0] === '' ? '' : marker) };
}

function replaceLiterals(source: string, literals: readonly string[]): RedactedText {
  let text = source;
  let count = 0;
  for (const literal of literals) {
    if (!text.includes(literal)) continue;
    const parts = text.split(literal);
    count += parts.length - 1;
    text = parts.join('[redacted:known-secret]');
  }
  return { text, count };
}

function applyRules(before: RedactedText, rules: readonly Rule[]): RedactedText {
  let { text, count } = before;
  for (const rule of rules) {
    const marker = `[redacted:${rule.kind}]`;
    let out = '';
    let from = 0;
    for (const match of text.matchAll(rule.pattern)) {
      const replacement = rule.replace === undefined ? marker : rule.replace(match, marker);
      if (replacement === match[0]) continue;
      out += text.slice(from, match.index) + replacement;
      from = match.index + match[0].length;
      count++;
    }
    if (from > 0) text = out + text.slice(from);
  }
  return { text, count };
}

const ofThisProcess = new Map<RedactionProfile, Redactor>();

/** The redactor that also knows the secrets in the environment this process was started with. */
export function processRedactor(profile: RedactionProfile): Redactor {
  const made = ofThisProcess.get(profile) ?? createRedactor(profile, secretLiterals(process.env));
  ofThisProcess.set(profile, made);
  return made;
}

/** Redacts one text with the redactor of this process. */
export function redactText(text: string, profile: RedactionProfile = 'ledger'): RedactedText {
  return processRedactor(profile).text(text);
}

/**
 * Redacts every string, key and number of a JSON value with the redactor of this process. What a name promises
 * to be a secret (`{ "password": ... }`, `["--token", ...]`) goes whole. A clean value comes back as the same object.
 */
export function redactJson(value: JsonValue, profile: RedactionProfile = 'ledger'): RedactedJson {
  return processRedactor(profile).json(value);
}
