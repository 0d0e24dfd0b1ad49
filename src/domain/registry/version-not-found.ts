import { WaybillError } from '../../contract/errors.ts';

/** There is nothing of this id in this repo, whether or not it is in another one. */
export function versionNotFound(repo: string, versionId: string): WaybillError {
  return new WaybillError('version_not_found', `there is no version ${versionId.slice(0, 80)} in the repo ${repo}`, {
    hint: 'It may have been a draft that was deleted, or that expired: `waybill drafts` and `waybill packages` list what there is.',
    details: { repo, versionId: versionId.slice(0, 80) },
  });
}
