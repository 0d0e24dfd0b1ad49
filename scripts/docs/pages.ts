/** The pages whose commands are run. */
export const pagesWithCommands = ['README.md', 'docs/resume.md', 'docs/idempotency.md'] as const;
