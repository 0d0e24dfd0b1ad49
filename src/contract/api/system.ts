import { z } from 'zod';

const count = z.int().min(0);

export const healthSchema = z
  .strictObject({ status: z.literal('ok'), version: z.string() })
  .describe('The process answers.');
export type Health = z.infer<typeof healthSchema>;

export const readinessSchema = z
  .strictObject({
    ready: z.boolean(),
    dependencies: z.array(
      z.strictObject({
        name: z.string(),
        ready: z.boolean(),
        reason: z.string().nullable().describe('Why it is not ready; null when it is.'),
      }),
    ),
  })
  .describe('Whether new work can be taken, and what that depends on.');
export type Readiness = z.infer<typeof readinessSchema>;

export const capabilitiesSchema = z
  .strictObject({
    version: z.string(),
    api: z.literal('v1'),
    node: z.string(),
    platform: z.strictObject({ os: z.string(), arch: z.string() }),
    store: z.strictObject({ engine: z.enum(['sqlite', 'postgres']) }),
    containment: z.strictObject({ how: z.enum(['contained', 'swept']), means: z.string() }),
    workflows: z.array(z.strictObject({ name: z.string(), version: z.string().nullable() })),
    tools: count.describe('Tools that can be used.'),
    agents: z.array(z.string()),
    eventFormats: z.array(z.string()).describe("Media types of a run's events."),
    limits: z.strictObject({
      concurrency: count.describe('Runs at work at once.'),
      maxQueue: count.describe('Runs that may wait; one more is answered with 429.'),
      bodyBytes: count,
      heartbeatMs: count,
      drainMs: count.describe('How long steps may go on once the daemon is told to end.'),
    }),
    queue: z.strictObject({ queued: count, running: count, parked: count }),
  })
  .describe('What this daemon is and can do, read from the running program.');
export type Capabilities = z.infer<typeof capabilitiesSchema>;
