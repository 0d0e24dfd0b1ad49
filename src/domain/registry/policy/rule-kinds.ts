import { ruleParameters } from '../../../contract/api/policy.ts';
import { globMatches } from './glob.ts';
import { type RuleKind, ruleKind } from './rule-kind.ts';

/** The media type of bytes of which nothing was said: RFC 2046, section 4.5.1. */
const unsaid = 'application/octet-stream';

const kinds: readonly RuleKind[] = [
  ruleKind('name', ruleParameters.name, ({ pattern }, { coordinate: { type, name } }) =>
    globMatches(pattern, `${type}:${name}`) ? `${type}:${name} matches ${pattern}` : null,
  ),
  ruleKind('digest', ruleParameters.digest, ({ digests }, { digest, manifest, entries }) => {
    const listed = new Set(digests);
    if (listed.has(digest)) return `its digest is ${digest}`;
    if (listed.has(manifest.digest)) return `its manifest is ${manifest.digest}`;
    const entry = entries.find((each) => listed.has(each.digest));
    return entry === undefined ? null : `${entry.path} is ${entry.digest}`;
  }),
  ruleKind('size', ruleParameters.size, ({ bytes, of }, { entries }) => {
    if (of === 'entry') {
      const entry = entries.find(({ size }) => size > bytes);
      return entry === undefined ? null : `${entry.path} has ${entry.size} bytes, more than ${bytes}`;
    }
    const size = entries.reduce((sum, entry) => sum + entry.size, 0);
    return size > bytes ? `it has ${size} bytes, more than ${bytes}` : null;
  }),
  ruleKind('unattested', ruleParameters.unattested, (_, { attested }) => (attested ? null : 'it has no attestation')),
  ruleKind('no-run', ruleParameters['no-run'], (_, { run }) => (run === null ? 'it was not made by a run' : null)),
  ruleKind('dirty', ruleParameters.dirty, (_, { dirty }) => {
    if (dirty === null) return 'nothing says that its checkout was clean';
    return dirty ? 'its run began in a checkout with changes that were not committed' : null;
  }),
  ruleKind('media-type', ruleParameters['media-type'], ({ patterns }, { entries, manifest }) => {
    const matching = (type: string) => patterns.find((pattern) => globMatches(pattern, type));
    const ofManifest = matching(manifest.mediaType);
    if (ofManifest !== undefined) return `its manifest is ${manifest.mediaType}, which matches ${ofManifest}`;
    for (const { path, mediaType } of entries) {
      const type = mediaType ?? unsaid;
      const pattern = matching(type);
      if (pattern !== undefined) return `${path} is ${type}, which matches ${pattern}`;
    }
    return null;
  }),
];

export const ruleKinds: ReadonlyMap<string, RuleKind> = new Map(kinds.map((each) => [each.kind, each]));
