import { WaybillError } from '../../../contract/errors.ts';

/** The same words whether there is no such repo or whoever asks may not know of it. */
export function repoNotFound(key: string): WaybillError {
  return new WaybillError('repo_not_found', `there is no repo ${JSON.stringify(key.slice(0, 64))}`, {
    hint: '`waybill repos` lists those there are.',
    details: { repo: key.slice(0, 64) },
  });
}
