import { isUtf8 } from 'node:buffer';
import type { FastifyInstance } from 'fastify';
import { WaybillError } from '../../contract/errors.ts';
import { invalidRequest } from './describe-error.ts';

/** Deeper than any tool's input, and shallow enough for everything that walks a value by recursion. */
const deepest = 200;
/** Each is looked at several times, in one turn of the event loop: more would hold up everybody else for seconds. */
const mostValues = 100_000;

/**
 * JSON is the only form of a body. Fastify reads it, so that its limit holds, and refuses keys that would reach a
 * prototype; what is nested too deeply, or has too many parts, is refused here, before anything walks it.
 */
export function takeJsonBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    const text = bytes.toString('utf8');
    const refused = isUtf8(bytes) ? whyNot(text) : new WaybillError('invalid_json', 'the body is not UTF-8');
    if (refused === null) parse(request, text, done);
    else done(refused);
  });
}

function whyNot(text: string): WaybillError | null {
  // A level takes at least two characters, and a value one and a comma.
  if (text.length <= 2 * deepest) return null;
  let depth = 0;
  let values = 1;
  let inText = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (inText) {
      if (character === '\\') at++;
      else if (character === '"') inText = false;
    } else if (character === '"') {
      inText = true;
    } else if (character === ',') {
      if (++values > mostValues) return tooMany();
    } else if (character === '{' || character === '[') {
      if (++depth > deepest) return invalidRequest([{ path: 'body', message: `is nested deeper than ${deepest}` }]);
    } else if (character === '}' || character === ']') {
      depth--;
    }
  }
  return null;
}

function tooMany(): WaybillError {
  return new WaybillError('body_too_large', `the body holds more than ${mostValues} values`, {
    hint: 'Put them into a file, and its path into the input.',
  });
}
