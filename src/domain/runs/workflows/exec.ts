import { z } from 'zod';
import { defineWorkflow } from '../../../contract/define.ts';

const input = z.strictObject({
  command: z.tuple([z.string().min(1)], z.string()),
  cwd: z.string().optional(),
  env: z.record(z.string(), z.string()).optional(),
  allowEnv: z.array(z.string()).optional(),
  deadlineMs: z.int().min(1).optional(),
  retries: z.int().min(0).max(1000).optional(),
  expectedOutputs: z.array(z.string()).optional(),
});

/** The built-in workflow behind `waybill exec -- CMD`: one command, with everything a run gives it. */
export const execWorkflow = defineWorkflow('exec', { input }, async (run, { command, retries, ...options }) => {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const result = await run.exec(command, {
    ...Object.fromEntries(given),
    ...(retries === undefined ? {} : { retry: { retries } }),
  });
  return { exitCode: result.exitCode };
});
