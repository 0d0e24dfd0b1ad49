import { z } from 'zod';
import type { ErrorCode } from '../errors.ts';
import { receiptSchema } from '../evidence.ts';
import { attestationRoutes } from './attestations.ts';
import { auditRoutes } from './audit.ts';
import { draftRoutes } from './drafts.ts';
import { entryRoutes } from './entries.ts';
import { packageRoutes, versionRoutes } from './packages.ts';
import { quarantineRoutes, ruleRoutes } from './policy.ts';
import { publishRoutes } from './publish.ts';
import { repoRoutes } from './repos.ts';
import { detailed, idempotencyReplayedHeader, keyed, route } from './route.ts';
import {
  answerApprovalSchema,
  approvalParams,
  cancelRunSchema,
  listRunsQuery,
  listStepsQuery,
  requestAnswerSchema,
  resumeRunSchema,
  runAnswerSchema,
  runDetailSchema,
  runListSchema,
  runParams,
  sendSignalSchema,
  signalParams,
  stepListSchema,
  stepParams,
  submitRunSchema,
  waitMs,
} from './runs.ts';
import { capabilitiesSchema } from './system.ts';
import { tagRoutes } from './tags.ts';
import { changeRolesSchema, madeTokenSchema, newTokenSchema, tokenListSchema, tokenSchema } from './tokens.ts';
import { toolDetailSchema, toolListSchema } from './tools.ts';
import { uploadRoutes } from './uploads.ts';
import { webhookRoutes } from './webhooks.ts';

const waiting = z.object({ waitMs }).prefault({});
const running = (...problems: ErrorCode[]) => route('runner', ...problems);
const administrating = (...problems: ErrorCode[]) => route('admin', ...problems);
const tokenParams = z.strictObject({ tokenId: z.string().describe('The `id` of the token, not the token.') });
const ofRun = ['run_not_found', 'run_removed'] as const satisfies ErrorCode[];
const ofRequest = [...ofRun, 'idempotency_key_reused', 'holder_silent'] as const satisfies ErrorCode[];
const ofSubmit = ['idempotency_key_reused', 'queue_full'] as const satisfies ErrorCode[];

/** An answer whose status tells created (201) from replayed or unchanged (200). */
const madeOrFound = z.object({
  status: z.union([
    z.literal(201).describe('A new run.'),
    z.literal(200).describe('No new run: the one this request, or an earlier one with the same key, is about.'),
  ]),
  headers: z.looseObject({
    location: z.string().optional().describe('The path of the run.'),
    [idempotencyReplayedHeader]: z.literal('true').optional().describe('The answer is that of an earlier request.'),
  }),
  body: runAnswerSchema,
});

/**
 * The typed part of the HTTP surface: router, client and OpenAPI document come from it. What it cannot express (byte
 * streams, plain text) is in `plain-routes.ts`.
 */
export const contract = {
  runs: {
    submit: running(
      'tool_not_found',
      'tool_invalid',
      'tool_not_permitted',
      'workflow_not_found',
      'task_not_found',
      'task_invalid',
      'agent_not_found',
      ...ofSubmit,
    )
      .route({
        method: 'POST',
        path: '/v1/runs',
        operationId: 'submitRun',
        tags: ['Runs'],
        summary: 'Submit a run',
        outputStructure: 'detailed',
        ...detailed,
      })
      .input(z.object({ headers: keyed, query: waiting, body: submitRunSchema }))
      .output(madeOrFound),
    list: running()
      .route({
        method: 'GET',
        path: '/v1/runs',
        operationId: 'listRuns',
        tags: ['Runs'],
        summary: 'List runs, newest first',
        ...detailed,
      })
      .input(z.object({ query: listRunsQuery.prefault({}) }))
      .output(runListSchema),
    get: running(...ofRun)
      .route({
        method: 'GET',
        path: '/v1/runs/{runId}',
        operationId: 'getRun',
        tags: ['Runs'],
        summary: 'Show a run with its provenance',
        ...detailed,
      })
      .input(z.object({ params: runParams, query: waiting }))
      .output(runDetailSchema),
    steps: running(...ofRun)
      .route({
        method: 'GET',
        path: '/v1/runs/{runId}/steps',
        operationId: 'listSteps',
        tags: ['Runs'],
        summary: 'List the steps of a run',
        ...detailed,
      })
      .input(z.object({ params: runParams, query: listStepsQuery.prefault({}) }))
      .output(stepListSchema),
    receipt: running(...ofRun, 'receipt_not_found')
      .route({
        method: 'GET',
        path: '/v1/runs/{runId}/receipts/{step}',
        operationId: 'getReceipt',
        tags: ['Runs'],
        summary: 'Show the receipt of a step',
        ...detailed,
      })
      .input(z.object({ params: stepParams }))
      .output(receiptSchema),
    cancel: running(...ofRequest)
      .route({
        method: 'POST',
        path: '/v1/runs/{runId}/cancel',
        operationId: 'cancelRun',
        tags: ['Runs'],
        summary: 'End a run and all its processes',
        ...detailed,
      })
      .input(z.object({ params: runParams, headers: keyed, body: cancelRunSchema.prefault({}) }))
      .output(requestAnswerSchema),
    pause: running(...ofRequest, 'invalid_transition')
      .route({
        method: 'POST',
        path: '/v1/runs/{runId}/pause',
        operationId: 'pauseRun',
        tags: ['Runs'],
        summary: 'Let a run rest after its current steps',
        ...detailed,
      })
      .input(z.object({ params: runParams, headers: keyed }))
      .output(requestAnswerSchema),
    resume: running(...ofRequest, 'invalid_transition', 'run_not_failed', 'drift', 'lease_held', 'queue_full')
      .route({
        method: 'POST',
        path: '/v1/runs/{runId}/resume',
        operationId: 'resumeRun',
        tags: ['Runs'],
        summary: 'Go on with a run, or retry a failed one',
        outputStructure: 'detailed',
        ...detailed,
      })
      .input(z.object({ params: runParams, headers: keyed, body: resumeRunSchema.prefault({}) }))
      .output(madeOrFound),
    answerApproval: running(...ofRequest, 'invalid_transition', 'run_not_waiting')
      .route({
        method: 'POST',
        path: '/v1/runs/{runId}/approvals/{step}',
        operationId: 'answerApproval',
        tags: ['Runs'],
        summary: 'Approve or deny what a run waits for',
        ...detailed,
      })
      .input(z.object({ params: approvalParams, headers: keyed, body: answerApprovalSchema }))
      .output(requestAnswerSchema),
    signal: running(...ofRequest, 'invalid_transition')
      .route({
        method: 'POST',
        path: '/v1/runs/{runId}/signals/{name}',
        operationId: 'signalRun',
        tags: ['Runs'],
        summary: 'Send a run the signal it waits for',
        ...detailed,
      })
      .input(z.object({ params: signalParams, headers: keyed, body: sendSignalSchema.prefault({}) }))
      .output(requestAnswerSchema),
  },
  tools: {
    list: running()
      .route({
        method: 'GET',
        path: '/v1/tools',
        operationId: 'listTools',
        tags: ['Tools'],
        summary: 'List the tools of the workspace',
      })
      .output(toolListSchema),
    get: running('tool_not_found', 'tool_invalid')
      .route({
        method: 'GET',
        path: '/v1/tools/{toolId}',
        operationId: 'getTool',
        tags: ['Tools'],
        summary: 'Show a tool with its schemas',
        ...detailed,
      })
      .input(
        z.object({
          params: z.strictObject({ toolId: z.string().min(1).max(128).describe('As `listTools` gives it.') }),
        }),
      )
      .output(toolDetailSchema),
  },
  tokens: {
    make: administrating('token_exists', 'repo_not_found')
      .route({
        method: 'POST',
        path: '/v1/tokens',
        operationId: 'makeToken',
        tags: ['Tokens'],
        summary: 'Make a token; it is shown this once',
        successStatus: 201,
        ...detailed,
      })
      .input(z.object({ body: newTokenSchema }))
      .output(madeTokenSchema),
    list: administrating()
      .route({
        method: 'GET',
        path: '/v1/tokens',
        operationId: 'listTokens',
        tags: ['Tokens'],
        summary: 'List tokens, without the tokens themselves',
      })
      .output(tokenListSchema),
    changeRoles: administrating('token_not_found', 'repo_not_found', 'invalid_transition')
      .route({
        method: 'PATCH',
        path: '/v1/tokens/{tokenId}/roles',
        operationId: 'changeRoles',
        tags: ['Tokens'],
        summary: 'Change what a token may do, from its next request on',
        ...detailed,
      })
      .input(z.object({ params: tokenParams, body: changeRolesSchema }))
      .output(tokenSchema),
    revoke: administrating('token_not_found')
      .route({
        method: 'DELETE',
        path: '/v1/tokens/{tokenId}',
        operationId: 'revokeToken',
        tags: ['Tokens'],
        summary: 'Revoke a token',
        ...detailed,
      })
      .input(z.object({ params: tokenParams }))
      .output(tokenSchema),
  },
  repos: repoRoutes,
  packages: packageRoutes,
  tags: tagRoutes,
  versions: { ...publishRoutes, ...versionRoutes, ...attestationRoutes },
  rules: ruleRoutes,
  quarantine: quarantineRoutes,
  drafts: draftRoutes,
  entries: entryRoutes,
  audit: auditRoutes,
  webhooks: webhookRoutes,
  uploads: uploadRoutes,
  capabilities: route('any')
    .route({
      method: 'GET',
      path: '/v1/capabilities',
      operationId: 'getCapabilities',
      tags: ['System'],
      summary: 'What this daemon is and can do',
    })
    .output(capabilitiesSchema),
};
