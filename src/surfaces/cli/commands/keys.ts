import type { Command } from 'commander';
import { WaybillError } from '../../../contract/errors.ts';
import { nonEmpty } from '../argument-parsers.ts';
import type { CliContext } from '../cli-context.ts';

export function define(command: Command, context: () => CliContext): void {
  command.addHelpText(
    'after',
    `
What a run made is published with an attestation, signed with the key of this workspace. Its private part stays in
.waybill/keys, readable by you alone; whoever is to check your releases gets the public one.

Examples:
  $ waybill keys init
  $ waybill keys show --out release.pub`,
  );
  command
    .command('init')
    .description('make the key pair of this workspace; never over one that is there')
    .addHelpText('after', '\nExamples:\n  $ waybill keys init')
    .action(async () => {
      const made = await context().withOwnProgram(async (program) => {
        const { makeSigningKey } = await import('../../../domain/registry/release/make-key.ts');
        const { releases, actor } = await program.releases();
        const key = await makeSigningKey(releases, actor);
        return { keyId: key.keyId, algorithm: 'ed25519', publicKey: key.pem, path: releases.signing.publicKeyPath };
      });
      await context().result(
        () => made,
        () => `${made.keyId}\n  public key: ${made.path}`,
      );
    });
  command
    .command('show', { isDefault: true })
    .description('show the public key, or write it to a file')
    .option('--out <file>', 'write it there', nonEmpty)
    .addHelpText('after', '\nExamples:\n  $ waybill keys show --out release.pub')
    .action(async ({ out }: { readonly out?: string }) => {
      const shown = await context().withOwnProgram(async (program) => {
        const { releases } = await program.releases();
        const key = await releases.signing.pinned();
        if (key === null) throw noKey();
        return { keyId: key.keyId, algorithm: 'ed25519', publicKey: key.pem };
      });
      const path = out === undefined ? null : context().path(out);
      if (path !== null) {
        const { writeFileDurably } = await import('../../../platform/files/write-file-durably.ts');
        await writeFileDurably(path, shown.publicKey, { mode: 0o644 });
      }
      await context().result(
        () => ({ ...shown, path }),
        () => (path === null ? `${shown.keyId}\n${shown.publicKey.trimEnd()}` : `${shown.keyId}\n  ${path}`),
      );
    });
}

function noKey(): WaybillError {
  return new WaybillError('signing_key_missing', 'this workspace has no signing key', {
    hint: 'Make one with `waybill keys init`.',
  });
}
