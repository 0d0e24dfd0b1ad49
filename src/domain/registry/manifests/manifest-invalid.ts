import { WaybillError } from '../../../contract/errors.ts';
import type { ManifestProblem } from '../package-types/package-type.ts';

/** Every problem of a manifest: `pointer` as in RFC 6901, `path` for who reads problems of requests. */
export function manifestInvalid(problems: readonly ManifestProblem[]): WaybillError {
  const said = problems
    .slice(0, 3)
    .map(({ pointer, message }) => `${pointer === '' ? 'the whole' : pointer} ${message}`);
  const more = problems.length > 3 ? ` (and ${problems.length - 3} more)` : '';
  return new WaybillError('manifest_invalid', `the manifest does not fit: ${said.join('; ')}${more}`, {
    hint: 'Each problem has the JSON pointer of the part that is wrong.',
    details: { problems: problems.map(({ pointer, message }) => ({ path: `manifest#${pointer}`, pointer, message })) },
  });
}
