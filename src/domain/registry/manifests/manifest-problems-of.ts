import type { ManifestBytes, ManifestProblem, ManifestSubject } from '../package-types/package-type.ts';
import type { Registry } from '../registry.ts';

/**
 * Everything that is wrong with a manifest as the manifest of this version with these entries: a publish asks it, and
 * then also what is `pending` must not be. Never throws.
 */
export function manifestProblemsOf(
  { types }: Pick<Registry, 'types'>,
  manifest: ManifestBytes,
  subject: ManifestSubject,
): readonly ManifestProblem[] {
  const { type } = subject.coordinate;
  const rules = types.get(type);
  if (rules === undefined) return [{ pointer: '', message: `is of the type "${type}", which nothing here knows` }];
  if (!rules.mediaTypes.includes(manifest.mediaType)) {
    return [{ pointer: '', message: `must be ${rules.mediaTypes.join(' or ')}, not ${manifest.mediaType}` }];
  }
  return rules.manifestProblems(manifest, subject);
}
