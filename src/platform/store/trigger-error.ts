import { type ErrorCode, errorCodes, WaybillError } from '../../contract/errors.ts';

const shape = /^waybill:([a-z_]+):([\s\S]*)$/;

/**
 * Triggers refuse with the text `waybill:<code>:<message>`, so that a rule kept by the database has the same
 * code as a rule kept by the program. Undefined when the text is not of that form.
 */
export function triggerError(text: string): WaybillError | undefined {
  const parts = shape.exec(text);
  if (parts === null) return undefined;
  const [, code = '', message = ''] = parts;
  if (!isErrorCode(code)) return undefined;
  return new WaybillError(code, message.trim(), { hint: 'The database refused this change; nothing was written.' });
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCodes, code);
}
