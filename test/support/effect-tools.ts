import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { linesOf, type TestWorkspace } from './workspace.ts';

/** One thing a tool really did: a line it wrote outside the tree before it did anything else. */
const effectSchema = z.looseObject({ runId: z.string(), idempotencyKey: z.string(), tool: z.string(), pid: z.int() });
export type ToolEffect = z.infer<typeof effectSchema>;

const number = { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] };
const described = (id: string, rest: object): string =>
  JSON.stringify({
    schema: 'waybill.tool.v1',
    id,
    version: '1.0.0',
    title: `The tool ${id}`,
    description: 'Writes down what it did.',
    inputSchema: number,
    outputSchema: number,
    sideEffects: 'external',
    allowEnv: ['TEST_OUTSIDE'],
    ...rest,
  });

const count = `import { appendFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
export default async ({ n, ms = 20 }, { runId, idempotencyKey, signal }) => {
  const effect = { runId, idempotencyKey, tool: 'count', pid: process.pid };
  appendFileSync(process.env.TEST_OUTSIDE + '/tool-effects.ndjson', JSON.stringify(effect) + '\\n');
  await delay(ms, undefined, { signal });
  return { n: n * 2 };
};
`;
const say = (tool: string): string =>
  `printf '{"runId":"%s","idempotencyKey":"%s","tool":"${tool}","pid":%d,"traceparent":"%s"}\\n' "$WAYBILL_RUN_ID" "$WAYBILL_IDEMPOTENCY_KEY" "$$" "$TRACEPARENT" >> "$TEST_OUTSIDE/tool-effects.ndjson"`;

/** `count` is a function and doubles; `shout` is a command and repeats; `refuse` is a command that fails. */
export const effectTools: Readonly<Record<string, string>> = {
  'waybill.tools/count/tool.json': described('count', { kind: 'function', module: 'count.mjs' }),
  'waybill.tools/count/count.mjs': count,
  'waybill.tools/shout/tool.json': described('shout', {
    kind: 'command',
    command: ['sh', 'waybill.tools/shout/shout.sh'],
  }),
  'waybill.tools/shout/shout.sh': `input=$(cat)\n${say('shout')}\nsleep 0.03\necho "$input"\n`,
  'waybill.tools/refuse/tool.json': described('refuse', {
    kind: 'command',
    command: ['sh', 'waybill.tools/refuse/refuse.sh'],
  }),
  'waybill.tools/refuse/refuse.sh': `cat >/dev/null\n${say('refuse')}\necho 'not today' >&2\nexit 3\n`,
};

export async function toolEffects(workspace: TestWorkspace): Promise<readonly ToolEffect[]> {
  const text = await readFile(join(workspace.outside, 'tool-effects.ndjson'), 'utf8').catch(() => '');
  // A killed tool may leave half a line at the end; what it had not written whole it had not done.
  return linesOf(text.replace(/[^\n]*$/, '')).map((line) => effectSchema.parse(JSON.parse(line)));
}

/** One step's work in one run: what must be done once. */
export const workOf = ({
  runId,
  idempotencyKey,
}: {
  readonly runId: string;
  readonly idempotencyKey: string;
}): string => `${runId} ${idempotencyKey}`;
