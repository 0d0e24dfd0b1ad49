/**
 * Answers of a daemon as text that can be compared byte by byte with those of another: what differs in any two runs
 * (ids, times, chained digests, places, ports) is replaced by a name, the same one for the same value in order of its
 * first appearance; all else, the order of members included, stays as it came.
 */
export function comparable(answers: unknown, root: string): string {
  let text = JSON.stringify(answers, null, 1).replaceAll(root, '<root>');
  text = text.replace(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,6}Z/g, '<time>');
  text = text.replace(/127\.0\.0\.1:\d+/g, '<address>');
  // Whether a run is begun by the request that makes it or by a worker a moment later is a matter of free places.
  text = text.replace(/(?<="spanId\\*": ?\\*")[0-9a-f]{16}/g, '<span>');
  for (const [shape, name] of unequal) {
    const names = new Map<string, string>();
    text = text.replace(shape, (value) => {
      const known = names.get(value) ?? `<${name} ${names.size + 1}>`;
      names.set(value, known);
      return known;
    });
  }
  return text;
}

const unequal: readonly (readonly [RegExp, string])[] = [
  [/\brun-\d{8}-\d{6}-[0-9a-f]{8}\b/g, 'run'],
  [/\berr_[0-9a-f]{32}\b/g, 'error'],
  // Over what holds a time: the chain, receipts. Digests of inputs, descriptions and schemas are compared as they are.
  [/(?<="(?:digest|previous|lastDigest|receipt)\\*": ?\\*")sha256:[0-9a-f]{64}/g, 'digest'],
  [/(?<="(?:traceId|correlationId)\\*": ?\\*")[0-9a-f]{32}/g, 'trace'],
  [/(?<="(?:pid|startTime|bootId|host|marker|instance|holder)\\*": ?\\*"?)[^",}\\]+/g, 'process'],
];
