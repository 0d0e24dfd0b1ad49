import type { Command } from 'commander';
import { type RepoRole, repoRoles, type WorkspaceRole, workspaceRoles } from '../../../contract/api/role.ts';
import type { RepoGrant } from '../../../domain/workspace/tokens/may-use.ts';
import type { RoleChange } from '../../../domain/workspace/tokens/tokens.ts';
import { idArgument, nonEmpty, repeated } from '../argument-parsers.ts';
import type { CliContext } from '../cli-context.ts';
import { expiry, repoGrant, rightsText, workspaceRole } from '../rights-text.ts';
import { table } from '../table.ts';
import { usageError } from '../usage-error.ts';

const roles = workspaceRoles.join(', ');

export function define(command: Command, context: () => CliContext): void {
  command.addHelpText(
    'after',
    `
Who works on this machine needs none: the daemon keeps one for its own user. A token is for other programs and people.
It has a role in the workspace (${roles}), or a role in single repos (${repoRoles.join(', ')}), or both.

Examples:
  $ waybill tokens make ci
  $ waybill tokens make release --repo local=publish --expires 30d
  $ waybill tokens list`,
  );
  defineMake(command, context);
  defineList(command, context);
  defineGrant(command, context);
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

interface MakeOptions {
  readonly role?: WorkspaceRole;
  readonly repo?: readonly RepoGrant[];
  readonly expires?: string;
}

function defineMake(command: Command, context: () => CliContext): void {
  command
    .command('make')
    .description('make a token; it is shown this once, and kept only as a digest')
    .argument('<name>', 'what it is for; what is done with it is done by token:<name>', idArgument('name'))
    .option(
      '--role <role>',
      `what it may do in the workspace: ${roles} (runner, unless --repo is given)`,
      workspaceRole,
    )
    .option(
      '--repo <grant>',
      'what it may do in a repo, as local=publish; may be given several times',
      repeated(repoGrant),
    )
    .option('--expires <when>', 'when it ends: 45m, 12h or 30d from now, or 2026-12-31T00:00:00Z', expiry)
    .addHelpText(
      'after',
      '\nExamples:\n  $ waybill tokens make dashboard --role auditor\n  $ waybill tokens make release --repo local=publish --expires 30d',
    )
    .action(async (name: string, { role, repo: repos = [], expires: expiresAt }: MakeOptions) => {
      const wanted = {
        name,
        role: role ?? (repos.length === 0 ? ('runner' as const) : null),
        repos,
        expiresAt: expiresAt ?? null,
      };
      const made = await context().withProgram((program) => program.makeToken(wanted));
      await context().result(
        () => made,
        () => made.token,
      );
      if (context().json) return;
      const until = made.expiresAt === null ? '' : `, until ${made.expiresAt}`;
      await context().note(`${made.id}: ${rightsText(made)}${until}; it is not shown again`);
    });
}

function defineList(command: Command, context: () => CliContext): void {
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
                [
                  'token',
                  'name',
                  'may',
                  'actor',
                  'created (UTC)',
                  'expires (UTC)',
                  'last used (UTC)',
                  'revoked (UTC)',
                ].map(dim),
                tokens.map((token) => [
                  token.id,
                  token.name,
                  rightsText(token),
                  token.actor,
                  shortTime(token.createdAt),
                  shortTime(token.expiresAt),
                  shortTime(token.lastUsedAt).slice(0, 16),
                  shortTime(token.revokedAt),
                ]),
              ),
      );
    });
}

interface GrantOptions {
  readonly role?: WorkspaceRole | 'none';
  readonly repo?: readonly { readonly repo: string; readonly role: RepoRole | null }[];
}

function defineGrant(command: Command, context: () => CliContext): void {
  command
    .command('grant')
    .description('change what a token may do, from its next request on; what is not named stays')
    .argument('<token>', 'its id, as `tokens list` shows it', nonEmpty)
    .option('--role <role>', `its role in the workspace: ${roles}, or none`, roleOrNone)
    .option(
      '--repo <grant>',
      'its role in a repo, as local=publish or local=none; may be given several times',
      repeated(grantOrNone),
    )
    .addHelpText(
      'after',
      '\nExamples:\n  $ waybill tokens grant tok_0123456789abcdef --repo local=publish\n  $ waybill tokens grant tok_0123456789abcdef --role none --repo local=read',
    )
    .action(async (id: string, { role, repo: repos = [] }: GrantOptions) => {
      if (role === undefined && repos.length === 0) {
        throw usageError('nothing is said of what the token may do', 'Give --role, --repo, or both.');
      }
      const change: RoleChange = { role: role === 'none' ? null : role, repos };
      const token = await context().withProgram((program) => program.changeRoles(id, change));
      await context().result(
        () => token,
        () => `${token.id} (${token.name}) may now: ${rightsText(token)}`,
      );
    });
}

// Not null: that is an option without a value to commander.
function roleOrNone(text: string): WorkspaceRole | 'none' {
  return text === 'none' ? text : workspaceRole(text);
}

/** `KEY=ROLE`, or `KEY=none`. */
function grantOrNone(text: string): { readonly repo: string; readonly role: RepoRole | null } {
  if (!text.endsWith('=none')) return repoGrant(text);
  return { ...repoGrant(text.replace(/none$/, 'read')), role: null };
}

function shortTime(time: string | null): string {
  return time === null ? '' : time.slice(0, 19).replace('T', ' ');
}
