import { z } from 'zod';
import { auditActions } from '../audit.ts';
import { idShapes } from '../ids.ts';
import { jsonValueSchema } from '../json-value.ts';
import { cursorParameter, limitParameter, nextCursor } from './packages.ts';
import { detailed, route } from './route.ts';

export const auditOutcomes = ['succeeded', 'refused', 'failed'] as const;
const time = z.iso.datetime({ offset: true });
const text = z.string().min(1).max(1_024);

export const listAuditQuery = z.strictObject({
  actor: text.optional().describe('Who did it, as `local:1000` or `token:ci`.'),
  action: z.enum(auditActions).optional(),
  resource: text.optional().describe('What it was done to: a run, a package, a token ...'),
  resourcePrefix: text.optional().describe('What the resource begins with.'),
  outcome: z.enum(auditOutcomes).optional(),
  since: time.optional().describe('From this time on, RFC 3339.'),
  until: time.optional().describe('Before this time, RFC 3339.'),
  limit: limitParameter,
  cursor: cursorParameter,
});

export const auditRecordSchema = z
  .strictObject({
    id: z.int().describe('Of the record; ids need not be in the order of time.'),
    at: z.iso.datetime(),
    actor: z.string(),
    action: z.string().describe('What was done, as `package.version.published`. Expect ones you do not know.'),
    resource: z.string(),
    outcome: z.enum(auditOutcomes),
    reason: z.string().nullable().describe('Why it was refused or failed.'),
    correlationId: z.string().regex(idShapes.traceId).nullable().describe('The W3C trace id of what it was part of.'),
    details: jsonValueSchema.nullable().describe('Facts, without secrets; null when there are none.'),
    position: z
      .int()
      .min(1)
      .nullable()
      .describe('Its place in the hash chain; null for the moment until it is sealed.'),
    digest: z.string().regex(idShapes.digest).nullable().describe('Of the chain up to here.'),
  })
  .describe('Who did what to what, and how it ended. Never changed, never removed.');
export type AuditEntry = z.infer<typeof auditRecordSchema>;

export const auditListSchema = z
  .strictObject({ records: z.array(auditRecordSchema), nextCursor })
  .describe('Records of the audit, newest first.');
export type AuditList = z.infer<typeof auditListSchema>;

export const auditRoutes = {
  list: route('auditor')
    .route({
      method: 'GET',
      path: '/v1/audit',
      operationId: 'listAudit',
      tags: ['Audit'],
      summary: 'List who did what, newest first',
      ...detailed,
    })
    .input(z.object({ query: listAuditQuery.prefault({}) }))
    .output(auditListSchema),
};
