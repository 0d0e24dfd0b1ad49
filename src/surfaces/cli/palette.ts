import picocolors from 'picocolors';

/** Colours for one stream; each leaves the text alone when colours are off. */
export type Palette = Pick<
  ReturnType<typeof picocolors.createColors>,
  'bold' | 'dim' | 'green' | 'red' | 'yellow' | 'cyan'
>;

/**
 * Colours only where a person looks: on a terminal, unless `NO_COLOR` (no-color.org: any non-empty value) or
 * `--no-color` says no; `FORCE_COLOR` says yes for a pipe into a pager.
 */
export function paletteFor(
  stream: { readonly isTerminal: boolean },
  env: Readonly<Record<string, string | undefined>>,
  wanted: boolean,
): Palette {
  const refused = !wanted || (env.NO_COLOR ?? '') !== '' || env.TERM === 'dumb';
  const forced = (env.FORCE_COLOR ?? '') !== '' && env.FORCE_COLOR !== '0';
  return picocolors.createColors(!refused && (stream.isTerminal || forced));
}
