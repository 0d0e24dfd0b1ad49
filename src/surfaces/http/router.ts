import { attestationHandlers } from './handlers/attestations.ts';
import { auditHandlers } from './handlers/audit.ts';
import { capabilitiesHandler } from './handlers/capabilities.ts';
import { draftHandlers, entryHandlers } from './handlers/drafts.ts';
import { packageHandlers, tagHandlers, versionHandlers } from './handlers/packages.ts';
import { quarantineHandlers, ruleHandlers } from './handlers/policy.ts';
import { publishHandlers } from './handlers/publish.ts';
import { repoHandlers } from './handlers/repos.ts';
import { runHandlers } from './handlers/runs.ts';
import { tokenHandlers } from './handlers/tokens.ts';
import { toolHandlers } from './handlers/tools.ts';
import { uploadHandlers } from './handlers/uploads.ts';
import { webhookHandlers } from './handlers/webhooks.ts';
import type { HttpContext } from './http-context.ts';
import { api } from './request-context.ts';

/** The contract with the functions that answer it; the compiler misses any that is not there. */
export function createRouter(context: HttpContext) {
  return api.router({
    runs: runHandlers(context),
    tools: toolHandlers(context.parts),
    tokens: tokenHandlers(context.parts),
    repos: repoHandlers(context.parts),
    packages: packageHandlers(context.parts),
    tags: tagHandlers(context.parts),
    versions: {
      ...publishHandlers(context.parts),
      ...versionHandlers(context.parts),
      ...attestationHandlers(context.parts),
    },
    rules: ruleHandlers(context.parts),
    quarantine: quarantineHandlers(context.parts),
    drafts: draftHandlers(context.parts),
    entries: entryHandlers(context.parts),
    audit: auditHandlers(context.parts),
    webhooks: webhookHandlers(context.parts),
    uploads: uploadHandlers(context.parts),
    capabilities: capabilitiesHandler(context.parts),
  });
}
export type Router = ReturnType<typeof createRouter>;
