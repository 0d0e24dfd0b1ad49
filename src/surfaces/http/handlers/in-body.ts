import { WaybillError } from '../../../contract/errors.ts';
import { issuesIn } from '../describe-error.ts';

/**
 * The domain knows the body of a request, not the request: its `entries[0].path` becomes `body.entries[0].path` for the
 * caller. Code, words and other details stay.
 */
export async function inBody<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof WaybillError)) throw error;
    const issues = issuesIn(error);
    if (issues.length === 0) throw error;
    const { code, message, hint, details } = error;
    const problems = issues.map(({ path, message: said }) => ({ path: `body.${path}`, message: said }));
    throw new WaybillError(code, message, {
      ...(hint === undefined ? {} : { hint }),
      details: { ...details, problems },
      cause: error,
    });
  }
}
