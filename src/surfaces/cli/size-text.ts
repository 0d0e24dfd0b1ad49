const units = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** `873 B`, `1.4 MiB`: for people; `--json` has the bytes. */
export function sizeText(bytes: number): string {
  let size = bytes;
  let unit: string = 'B';
  for (const next of units) {
    if (size < 1024) break;
    size /= 1024;
    unit = next;
  }
  return unit === 'B' ? `${bytes} B` : `${size.toFixed(1)} ${unit}`;
}
