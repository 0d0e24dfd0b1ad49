import type { Command } from 'commander';
import { WaybillError } from '../../../contract/errors.ts';
import { isId } from '../../../contract/ids.ts';
import type { ReleaseVerification } from '../../../domain/registry/verify/verify-release.ts';
import type { GuardProblem } from '../../../platform/store/guards/guard.ts';
import { nonEmpty } from '../argument-parsers.ts';
import type { CliContext } from '../cli-context.ts';
import { printableLine } from '../printable.ts';
import type { VerifyReport } from '../program.ts';
import { type RepoOption, takesRepo, typedCoordinate } from '../registry-command.ts';
import { releaseText } from '../release-text.ts';

interface Options extends RepoOption {
  readonly key?: string;
  readonly checkout?: string;
}

export function define(command: Command, context: () => CliContext): void {
  takesRepo(command)
    .argument(
      '<subject>',
      'a run, a version as NAME@VERSION, a bundle, a folder of evidence files, or a released file',
      nonEmpty,
    )
    .option('--key <file>', 'the public key that must have signed it; the one of this workspace unless given', nonEmpty)
    .option('--checkout <dir>', 'a clone in which to look for the commit of a release', nonEmpty)
    .addHelpText(
      'after',
      `
Of a release the whole chain is walked: package, attestation, run, receipts, ledger, snapshot, commit; the first link
that is broken is named. No network is asked. Intact (every digest and the whole chain hold) and authentic (a known key
signed it) are two answers; a run that failed and is intact verifies with exit code 0. Bundles and folders need no
workspace.

Examples:
  $ waybill verify run-20261122-210500-0a1b2c3d
  $ waybill verify my-tool@1.2.0
  $ waybill verify dist/my-tool.tgz
  $ waybill verify release.json --key release.pub --checkout ~/src/my-tool`,
    )
    .action(async (subject: string, options: Options) => {
      const given = context();
      const key = options.key === undefined ? null : given.path(options.key);
      const checkout = options.checkout === undefined ? null : given.path(options.checkout);
      const found = await look(given, subject, { key, checkout, repo: options.repo });
      if ('links' in found) {
        await given.result(
          () => releaseReport(subject, found),
          () => releaseText(given, found, authenticWords(key)[found.authentic]) + guardLines(given, found.guards ?? []),
        );
      } else {
        await given.result(
          () => found,
          () => text(given, found, authenticWords(key)[found.authentic]),
        );
      }
      const guards = 'links' in found ? (found.guards ?? []) : [];
      const wanted = key === null ? found.authentic !== 'wrong_key' : found.authentic === 'signed';
      if (!found.intact || !wanted || guards.length > 0) given.exitCode = 1;
    });
}

function guardLines({ palette }: CliContext, guards: readonly GuardProblem[]): string {
  if (guards.length === 0) return '';
  const named = guards.map(
    ({ problem, kind, name, table }) => `  ${kind} ${name} ${table === '' ? '' : `on ${table} `}is ${problem}`,
  );
  const head = palette.red('the database has lost guards: what is in it may have been changed (waybill fsck)');
  return `\n${head}\n${named.join('\n')}`;
}

interface How {
  readonly key: string | null;
  readonly checkout: string | null;
  readonly repo: string;
}

async function look(context: CliContext, subject: string, how: How): Promise<VerifyReport | ReleaseVerification> {
  const { key } = how;
  const { tools } = context.host;
  if (isId('run', subject)) return await context.withOwnProgram((program) => program.verifyRun(subject, key));
  const path = context.path(subject);
  const { subjectKind } = await import('../../../domain/registry/verify/subject-kind.ts');
  switch (await subjectKind(path)) {
    case 'missing':
      // A path that is not there is said so; only what looks like a version is looked for as one.
      return /^(?:[^/@]|[^/].*[^@/])@[^/]+$/.test(subject)
        ? await version(context, subject, how)
        : await tools.verifyPath(path, key);
    case 'release':
      return await tools.verifyReleaseBundle(path, { ...how, start: context.start });
    case 'folder':
    case 'bundle':
      return await tools.verifyPath(path, key);
    case 'file':
      return await file(context, path, how);
  }
}

async function version(context: CliContext, subject: string, how: How): Promise<ReleaseVerification> {
  const { repo, checkout } = how;
  const [{ verifyVersion }, { writtenVersion }] = await Promise.all([
    import('../../../domain/registry/verify/verify-version.ts'),
    import('../../../domain/registry/verify/written-version.ts'),
  ]);
  const written = await typedCoordinate(subject);
  return await context.withOwnProgram(async (program) => {
    const { releases } = await program.releases();
    const coordinate = await writtenVersion(releases.registry, repo, written);
    return await verifyVersion(releases, { repo, coordinate, key: await keyOf(how), checkout });
  });
}

/** A file of a release, or, where there is no workspace, something that says by itself what is wrong with it. */
async function file(context: CliContext, path: string, how: How): Promise<VerifyReport | ReleaseVerification> {
  const { verifyFile } = await import('../../../domain/registry/verify/verify-file.ts');
  const key = await keyOf(how);
  try {
    return await context.withOwnProgram(async (program) => {
      const { releases } = await program.releases();
      return await verifyFile(releases, { repo: how.repo, path, key, checkout: how.checkout });
    });
  } catch (error) {
    const unknown = error instanceof WaybillError && ['workspace_not_found', 'entry_not_found'].includes(error.code);
    if (!unknown) throw error;
    const report = await context.host.tools.verifyPath(path, how.key);
    // A file that reads as a bundle may be one that was damaged: then that is the answer.
    if (report.runId !== null || report.problems[0]?.where !== 'the bundle') return report;
    if (error.code === 'entry_not_found') throw error;
    return report;
  }
}

async function keyOf({ key }: How) {
  return key === null ? null : (await import('../../../domain/registry/verify/read-key.ts')).readKey(key);
}

/** The members every verification has, and those of a release. */
function releaseReport(subject: string, { firstBroken, ...found }: ReleaseVerification): object {
  const { what, expected, actual, link } = firstBroken ?? { what: '', link: null };
  const problems =
    firstBroken === null ? [] : [{ where: `${link}: ${what}`, message: `expected ${expected}, found ${actual}` }];
  return { subject, ...found, problems };
}

function authenticWords(key: string | null): Readonly<Record<VerifyReport['authentic'], string>> {
  const whose = key === null ? 'the key of this workspace' : 'the given key';
  return {
    unsigned: 'not signed',
    signed: `signed by ${whose}`,
    wrong_key: `signed, but not by ${whose}`,
    not_checked: 'not checked, because no key was given (--key FILE)',
  };
}

function text(context: CliContext, report: VerifyReport, authentic: string): string {
  const { green, red, bold, dim } = context.palette;
  const counts = Object.entries(report.checked).map(
    ([what, count]) => `${count} ${count === 1 ? what.replace(/s$/, '') : what}`,
  );
  return [
    `${bold(printableLine(report.subject))} is ${report.intact ? green('intact') : red('broken')}`,
    ...report.problems.map(({ where, message }) => `  ${red('✗')} ${printableLine(where)}: ${printableLine(message)}`),
    ...(report.state === null ? [] : [`  ${dim('run')}        ${report.intact ? '' : 'said to have '}${report.state}`]),
    `  ${dim('signature')}  ${authentic}`,
    `  ${dim('checked')}    ${counts.length === 0 ? 'nothing' : counts.join(', ')}`,
  ].join('\n');
}
