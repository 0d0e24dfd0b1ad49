/** The pages whose commands are run. */
export const pagesWithCommands = [
  'README.md',
  'docs/resume.md',
  'docs/idempotency.md',
  'docs/tools.md',
  'docs/api.md',
  'docs/registry.md',
] as const;
