import type { ReporterOptions } from 'knip';

/** Prints each dead file, export and dependency on a line, then how many files knip looked at. */
export default function report({ issues, counters, configurationHints }: ReporterOptions): void {
  for (const [kind, files] of Object.entries(issues)) {
    for (const [path, found] of Object.entries(files)) {
      for (const { symbol, line } of Object.values(found)) {
        console.log(`${path}${line === undefined ? '' : `:${line}`}: unused or unknown (${kind}): ${symbol}`);
      }
    }
  }
  for (const hint of configurationHints) console.log(`knip.json: ${hint.type}: ${String(hint.identifier)}`);
  console.log(`${counters.processed} files`);
}
