import { ndjsonMediaType, sseMediaType } from '../../../contract/api/events.ts';

export type EventMediaType = typeof ndjsonMediaType | typeof sseMediaType;

/** In the order of preference, for clients that take both alike. */
const served = [ndjsonMediaType, sseMediaType] as const;

/**
 * The form a client asks for with its `Accept` header (RFC 9110, section 12.5.1): the highest quality, then the one
 * that is named most exactly. Without a header NDJSON; null when it takes neither.
 */
export function chooseForm(accept: string | undefined): EventMediaType | null {
  const ranges = (accept === undefined || accept.trim() === '' ? '*/*' : accept).split(',').map(parseRange);
  let best: { readonly form: EventMediaType; readonly quality: number; readonly exactness: number } | null = null;
  for (const form of served) {
    // Of several ranges that fit one form the most exact says its quality.
    const [range] = ranges.filter(({ type }) => fits(type, form)).sort((a, b) => b.exactness - a.exactness);
    if (range === undefined || range.quality === 0) continue;
    const { quality, exactness } = range;
    if (best === null || quality > best.quality || (quality === best.quality && exactness > best.exactness)) {
      best = { form, quality, exactness };
    }
  }
  return best?.form ?? null;
}

function parseRange(text: string): { readonly type: string; readonly quality: number; readonly exactness: number } {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
  const quality = weight === undefined ? 1 : /^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(weight) ? Number(weight) : 0;
  return { type, quality, exactness: type === '*/*' ? 0 : type.endsWith('/*') ? 1 : 2 };
}

function fits(range: string, form: EventMediaType): boolean {
  return range === '*/*' || range === form || range === `${form.split('/', 1)[0]}/*`;
}
