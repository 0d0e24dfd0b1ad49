import { type Command, InvalidArgumentError } from 'commander';
import { type Role, roles } from '../../../contract/api/role.ts';
import { idArgument, nonEmpty } from '../argument-parsers.ts';
import type { CliContext } from '../cli-context.ts';
import { table } from '../table.ts';

export function define(command: Command, context: () => CliContext): void {
  command.addHelpText(
    'after',
    `
Who works on this machine needs none: the daemon keeps one for its own user. A token is for other programs and people.

Examples:
  $ waybill tokens make ci --role writer
  $ waybill tokens list`,
  );
  command
    .command('make')
    .description('make a token; it is shown this once, and kept only as a digest')
    .argument('<name>', 'what it is for; what is done with it is done by token:<name>', idArgument('name'))
    .option('--role <role>', `what it may do: ${roles.join(', ')}`, role, 'writer')
    .addHelpText('after', '\nExamples:\n  $ waybill tokens make dashboard --role reader')
    .action(async (name: string, options: { readonly role: Role }) => {
      const made = await context().withProgram((program) => program.makeToken({ name, role: options.role }));
      await context().result(
        () => made,
        () => made.token,
      );
      if (!context().json) await context().note(`${made.id}: a ${made.role}; it is not shown again`);
    });
  command
    .command('list', { isDefault: true })
    .description('list the tokens, without the tokens themselves')
    .addHelpText('after', '\nExamples:\n  $ waybill tokens list --json')
    .action(async () => {
      const tokens = await context().withProgram((program) => program.listTokens());
      const { dim } = context().palette;
      await context().result(
        () => ({ tokens }),
        () =>
          tokens.length === 0
            ? 'No tokens.'
            : table(
                ['token', 'name', 'role', 'actor', 'created (UTC)', 'revoked (UTC)'].map(dim),
                tokens.map((token) => [
                  token.id,
                  token.name,
                  token.role,
                  token.actor,
                  shortTime(token.createdAt),
                  token.revokedAt === null ? '' : shortTime(token.revokedAt),
                ]),
              ),
      );
    });
  command
    .command('revoke')
    .description('revoke a token: it is refused from the next request on')
    .argument('<token>', 'its id, as `tokens list` shows it', nonEmpty)
    .addHelpText('after', '\nExamples:\n  $ waybill tokens revoke tok_0123456789abcdef')
    .action(async (id: string) => {
      const token = await context().withProgram((program) => program.revokeToken(id));
      await context().result(
        () => token,
        () => `${token.id} (${token.name}) is revoked`,
      );
    });
}

function shortTime(time: string): string {
  return time.slice(0, 19).replace('T', ' ');
}

function role(text: string): Role {
  const found = roles.find((each) => each === text);
  if (found !== undefined) return found;
  throw new InvalidArgumentError(`Roles: ${roles.join(', ')}.`);
}
