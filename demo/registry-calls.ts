import { z } from 'zod';
import { printed, typed } from './tell.ts';

const problemSchema = z.object({
  code: z.string(),
  detail: z.string(),
  hint: z.string().nullable(),
  issues: z.array(z.object({ path: z.string(), message: z.string() })),
  details: z.record(z.string(), z.unknown()).nullable(),
});
type Problem = z.infer<typeof problemSchema>;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Buffer;
  /** The answer as JSON, in this shape. */
  json<T>(shape: z.ZodType<T>): T;
  /** What the server says is wrong; null for an answer below 400. */
  readonly problem: Problem | null;
}

interface Asked {
  /** Sent as JSON, unless they are bytes. */
  readonly body?: unknown;
  readonly aloud?: boolean;
}

/** Requests to the daemon as any program makes them, shown with what they answer. */
export function registryCalls(address: string, token: string) {
  return async (method: string, path: string, { body, aloud = true }: Asked = {}): Promise<Answer> => {
    const raw = body instanceof Uint8Array;
    const type = raw ? 'application/octet-stream' : 'application/json';
    const sent = body === undefined ? null : raw ? Buffer.from(body) : JSON.stringify(body);
    if (aloud) typed(`${method} ${shortened(path)}${shown(body)}`);
    const answer = await fetch(`${address}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(sent === null ? {} : { 'content-type': type }) },
      body: sent,
    });
    const bytes = Buffer.from(await answer.arrayBuffer());
    const problem = answer.status < 400 ? null : problemSchema.parse(JSON.parse(bytes.toString()));
    if (aloud) tell(answer.status, problem);
    return {
      status: answer.status,
      headers: answer.headers,
      bytes,
      json: (shape) => shape.parse(JSON.parse(bytes.toString())),
      problem,
    };
  };
}

function tell(status: number, problem: Problem | null): void {
  if (problem === null) {
    printed(String(status));
    return;
  }
  printed(`${status} ${problem.code}: ${shortened(problem.detail)}`);
  for (const { path, message } of problem.issues) printed(`    ${path}: ${shortened(message)}`);
}

function shown(body: unknown): string {
  if (body === undefined) return '';
  if (body instanceof Uint8Array) return `  (${body.length} bytes)`;
  return `  ${shortened(JSON.stringify(body))}`;
}

/** Digests and ids at a length people can read. */
function shortened(text: string): string {
  return text.replaceAll(/(sha256:[0-9a-f]{8})[0-9a-f]{56}/g, '$1…');
}
