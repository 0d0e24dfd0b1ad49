import type { FastifyInstance } from 'fastify';
import { invalidRequest } from './describe-error.ts';

/** Deeper than any tool's input, and shallow enough for everything that walks a value by recursion. */
const deepest = 200;

/**
 * JSON is the only form of a body. Fastify reads it, so that its limit holds, and refuses keys that would reach a
 * prototype; what is nested too deeply is refused here, before anything walks it.
 */
export function takeJsonBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    const text = typeof body === 'string' ? body : body.toString('utf8');
    if (isNestedTooDeeply(text)) {
      done(invalidRequest([{ path: 'body', message: `is nested deeper than ${deepest}` }]));
      return;
    }
    parse(request, text, done);
  });
}

function isNestedTooDeeply(text: string): boolean {
  // Each level takes at least two characters.
  if (text.length <= 2 * deepest) return false;
  let depth = 0;
  let inText = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (inText) {
      if (character === '\\') at++;
      else if (character === '"') inText = false;
    } else if (character === '"') {
      inText = true;
    } else if (character === '{' || character === '[') {
      if (++depth > deepest) return true;
    } else if (character === '}' || character === ']') {
      depth--;
    }
  }
  return false;
}
