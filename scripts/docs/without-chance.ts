/**
 * A page without what differs from one time or machine to the next: ids, digests, times, sizes, and how wide a column
 * is because of them. Two runs of the same commands give the same text.
 */
export function withoutChance(page: string): string {
  const runs = new Map<string, string>();
  return page
    .replaceAll(/run-\d{8}-\d{6}-[0-9a-f]{8}/g, (id) => {
      const name = runs.get(id) ?? `RUN${runs.size + 1}`;
      runs.set(id, name);
      return name;
    })
    .replaceAll(/\b(ik:|sha256:|snap-|err_|tok_|pkg_|ver_|upl_|rule_|wh_)[0-9a-f]+/g, '$1HEX')
    .replaceAll(/\bwhsec_[A-Za-z0-9+/]+=*/g, 'whsec_SECRET')
    .replaceAll(/\b[0-9a-f]{40}\b/g, 'COMMIT')
    .replaceAll(/\b[0-9a-f]{32}\b/g, 'TRACE')
    .replaceAll(/\d{4}-\d\d-\d\d[T ][\d:.]+Z?|\b\d\d:\d\d:\d\d\.\d+/g, 'TIME')
    .replaceAll(/\b\d+(\.\d+)? (ms|s|min)\b/g, 'TOOK')
    .replaceAll(/\b\d+(,\d+)*( events| bytes)\b/g, 'N$2')
    .replaceAll(/\bprocess \d+ on \S+/g, 'process N on HOST')
    .replaceAll(/^(\s+processes) (contained|swept): .*$/gm, '$1')
    .replaceAll(/local:\d+/g, 'local:UID')
    .replaceAll(/[ ─]{2,}/g, ' ');
}
