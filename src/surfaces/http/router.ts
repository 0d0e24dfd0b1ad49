import { capabilitiesHandler } from './handlers/capabilities.ts';
import { publishHandlers } from './handlers/publish.ts';
import { runHandlers } from './handlers/runs.ts';
import { tokenHandlers } from './handlers/tokens.ts';
import { toolHandlers } from './handlers/tools.ts';
import type { HttpContext } from './http-context.ts';
import { api } from './request-context.ts';

/** The contract with the functions that answer it; the compiler misses any that is not there. */
export function createRouter(context: HttpContext) {
  return api.router({
    runs: runHandlers(context),
    tools: toolHandlers(context.parts),
    tokens: tokenHandlers(context.parts),
    versions: { ...publishHandlers(context.parts) },
    capabilities: capabilitiesHandler(context.parts),
  });
}
export type Router = ReturnType<typeof createRouter>;
