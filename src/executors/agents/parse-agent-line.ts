import { type AgentLine, agentLineSchema } from '../../contract/agent-protocol.ts';

export type ParsedLine =
  | { readonly ok: true; readonly line: AgentLine }
  /** What is wrong with it, without repeating what it holds. */
  | { readonly ok: false; readonly reason: string };

/** Deeper nesting is refused: it holds nothing a person would read, and walking it could exhaust the stack. */
const deepest = 64;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Reads one line of an agent: UTF-8, JSON, an object, one of the protocol's lines, and nothing JSON would lose. */
export function parseAgentLine(bytes: Uint8Array): ParsedLine {
  let value: unknown;
  try {
    value = JSON.parse(utf8.decode(bytes));
  } catch (error) {
    return { ok: false, reason: error instanceof SyntaxError ? 'it is not JSON' : 'it is not UTF-8' };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { ok: false, reason: `it is not a JSON object but ${describe(value)}` };
  }
  const problem = unrecordable(value);
  if (problem !== undefined) return { ok: false, reason: problem };
  const parsed = agentLineSchema.safeParse(value);
  if (parsed.success) return { ok: true, line: parsed.data };
  const issue = parsed.error.issues[0];
  const path =
    issue === undefined || issue.path.length === 0 ? 'the line' : `"${issue.path.map(String).join('.').slice(0, 200)}"`;
  return { ok: false, reason: `${path}: ${issue?.message.slice(0, 300) ?? 'not a line of the protocol'}` };
}

function describe(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'an array' : `a ${typeof value}`;
}

/** Finds what canonical JSON could not write again. Iterative, because the depth is the sender's choice. */
function unrecordable(root: object): string | undefined {
  const stack: { readonly node: object; readonly depth: number }[] = [{ node: root, depth: 1 }];
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    if (top.depth > deepest) return `it is nested deeper than ${deepest}`;
    for (const [key, item] of Object.entries(top.node)) {
      if (key === '__proto__') return 'it has a key named "__proto__"';
      if (typeof item === 'number' && !keepsItsValue(item))
        return 'it has a number that loses digits (send it as a string)';
      if (typeof item === 'object' && item !== null) stack.push({ node: item, depth: top.depth + 1 });
    }
  }
  return undefined;
}

function keepsItsValue(number: number): boolean {
  return (
    Number.isFinite(number) && (!Number.isInteger(number) || Number.isSafeInteger(number) || Math.abs(number) >= 1e21)
  );
}
