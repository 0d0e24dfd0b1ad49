import { WaybillError } from '../../contract/errors.ts';

/** What a person typed cannot be meant: exit code 2. */
export function usageError(message: string, hint?: string): WaybillError {
  return new WaybillError('invalid_argument', message, hint === undefined ? {} : { hint });
}
