import type { Command } from 'commander';
import { isId } from '../../../contract/ids.ts';
import { nonEmpty } from '../argument-parsers.ts';
import type { CliContext } from '../cli-context.ts';
import { printableLine } from '../printable.ts';
import type { VerifyReport } from '../program.ts';

export function define(command: Command, context: () => CliContext): void {
  command
    .argument('<subject>', 'a run, a bundle file, or a folder of evidence files', nonEmpty)
    .option('--key <file>', 'the public key that must have signed it', nonEmpty)
    .addHelpText(
      'after',
      `
Intact (every digest and the whole chain hold) and authentic (a known key signed it) are two answers; a run that
failed and is intact verifies with exit code 0. Bundles and folders need no workspace.

Examples:
  $ waybill verify run-20261122-210500-0a1b2c3d
  $ waybill verify evidence.json --key release.pub`,
    )
    .action(async (subject: string, options: { readonly key?: string }) => {
      const key = options.key === undefined ? null : context().path(options.key);
      const report = isId('run', subject)
        ? await context().withOwnProgram((program) => program.verifyRun(subject, key))
        : await context().host.tools.verifyPath(context().path(subject), key);
      await context().result(
        () => report,
        () => text(context(), report),
      );
      const wanted = key === null ? report.authentic !== 'wrong_key' : report.authentic === 'signed';
      if (!report.intact || !wanted) context().exitCode = 1;
    });
}

const authenticWords = {
  unsigned: 'not signed',
  signed: 'signed by the given key',
  wrong_key: 'signed, but not by the given key',
  not_checked: 'not checked (no key given)',
} as const satisfies Record<VerifyReport['authentic'], string>;

function text(context: CliContext, report: VerifyReport): string {
  const { green, red, bold, dim } = context.palette;
  const counts = Object.entries(report.checked).map(
    ([what, count]) => `${count} ${count === 1 ? what.replace(/s$/, '') : what}`,
  );
  return [
    `${bold(printableLine(report.subject))} is ${report.intact ? green('intact') : red('broken')}`,
    ...report.problems.map(({ where, message }) => `  ${red('✗')} ${printableLine(where)}: ${printableLine(message)}`),
    ...(report.state === null ? [] : [`  ${dim('run')}        ${report.intact ? '' : 'said to have '}${report.state}`]),
    `  ${dim('signature')}  ${authenticWords[report.authentic]}`,
    `  ${dim('checked')}    ${counts.length === 0 ? 'nothing' : counts.join(', ')}`,
  ].join('\n');
}
