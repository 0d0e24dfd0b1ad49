import type { ErrorCode } from '../errors.ts';
import type { RouteRole } from './role.ts';

/** What decides which problems a route can answer beside its own. */
export interface RouteInput {
  readonly role: RouteRole | 'open';
  /** Whether it takes anything that can be wrong: parameters, query, headers or a body. */
  readonly takesInput: boolean;
  readonly takesBody: boolean;
}

const ofEvery = [
  'invalid_argument',
  'host_refused',
  'origin_refused',
  'request_timeout',
  'internal',
  'draining',
] as const;
const ofTheStore = ['store_unavailable', 'store_busy', 'store_closed'] as const;
const ofBodies = ['invalid_json', 'body_too_large', 'unsupported_media_type'] as const;

/** Problems a route can answer because of what it is; those of its own work stand in the contract. */
export function problemsOfRoute({ role, takesInput, takesBody }: RouteInput): ErrorCode[] {
  return [
    ...(takesInput ? (['invalid_input'] as const) : []),
    ...(takesBody ? ofBodies : []),
    ...(role === 'open' ? [] : (['unauthorized', ...ofTheStore] as const)),
    ...(role === 'open' ? [] : (['forbidden'] as const)),
    ...(role.startsWith('repo.') ? (['repo_not_found'] as const) : []),
    ...ofEvery,
  ];
}
