import type { CheckedLink } from '../../domain/registry/verify/release-link.ts';
import type { FileVerification } from '../../domain/registry/verify/verify-file.ts';
import type { ReleaseVerification } from '../../domain/registry/verify/verify-release.ts';
import type { CliContext } from './cli-context.ts';
import { printableLine } from './printable.ts';

/** So many files that differ are named for a person; `--json` has all. */
const mostShown = 20;

/** The chain of a release, a line a link, for a person. */
export function releaseText(
  context: CliContext,
  found: ReleaseVerification & { readonly file?: FileVerification['file'] },
  authentic: string,
): string {
  const { file } = found;
  const { green, red, bold, dim, yellow } = context.palette;
  const counts = Object.entries(found.checked).map(
    ([what, count]) => `${count} ${count === 1 ? what.replace(/s$/, '') : what}`,
  );
  return [
    `${bold(printableLine(found.coordinate))} is ${found.intact ? green('intact') : red('broken')}`,
    ...(file === undefined || found.digest === null ? [] : [fileLine(file)]),
    ...(found.digest === null ? [] : [`  ${dim(printableLine(found.digest, 80))}`]),
    ...(found.warnings ?? []).map((warning) => `  ${yellow('!')} ${printableLine(warning)}`),
    ...found.links.flatMap((link) => linkLines(context, link)),
    `  ${dim('signature')}     ${authentic}${found.keyId === null ? '' : `: ${printableLine(found.keyId, 80)}`}`,
    `  ${dim('checked')}       ${counts.length === 0 ? 'nothing' : counts.join(', ')}`,
  ].join('\n');
}

function fileLine({ path, entry, alsoIn }: FileVerification['file']): string {
  const others = alsoIn.length === 0 ? '' : `; also in ${alsoIn.slice(0, 5).join(', ')}`;
  return `  ${printableLine(path)} is its ${printableLine(entry)}${printableLine(others)}`;
}

function linkLines(
  context: CliContext,
  { link, state, what, expected, actual, differences = [] }: CheckedLink,
): string[] {
  const { green, red, dim, yellow } = context.palette;
  const name = link.padEnd(11);
  const indent = ' '.repeat(4 + name.length);
  switch (state) {
    case 'intact': {
      const more = differences.length - mostShown;
      return [
        `  ${green('✓')} ${name} ${printableLine(what)}`,
        ...differences
          .slice(0, mostShown)
          .map(({ path, change }) => `${indent}  ${change}: ${printableLine(path, 200)}`),
        ...(more > 0 ? [`${indent}  and ${more} more`] : []),
      ];
    }
    case 'broken':
      return [
        `  ${red('✗')} ${name} ${printableLine(what)}`,
        `${indent} ${dim('expected')} ${printableLine(expected ?? '')}`,
        `${indent} ${dim('found   ')} ${printableLine(actual ?? '')}`,
      ];
    case 'not_checked':
      return [`  ${yellow('-')} ${name} ${dim('not checked:')} ${printableLine(what)}`];
    default:
      return state satisfies never;
  }
}
