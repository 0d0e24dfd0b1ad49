import { WaybillError } from '../../../contract/errors.ts';
import type { JsonValue } from '../../../contract/json.ts';
import { problemsText, type ShapeProblem } from '../../../contract/shape-problems.ts';
import { canonicalJson } from '../../../platform/canonical-json/canonical-json.ts';
import type { Tool } from '../ports.ts';

/** Bytes of JSON that one call of a tool may give back. */
export const largestOutput = 8 * 1024 * 1024;

/** Why this input cannot be given to the tool: `invalid_input` with each problem's path; undefined when it fits. */
export function inputMisfit(tool: Tool, input: JsonValue): WaybillError | undefined {
  const problems = below('input', tool.inputProblems(input));
  if (problems.length === 0) return undefined;
  const { id } = tool.description;
  return new WaybillError('invalid_input', `the input does not fit the tool "${id}": ${problemsText(problems)}`, {
    hint: `See its input schema with: waybill tools show ${id}`,
    details: { problems, retryable: false },
  });
}

/**
 * What a tool gave back, as it is recorded.
 * @throws WaybillError `tool_output_invalid` when it cannot be recorded or does not fit the output schema,
 * `tool_output_too_large`
 */
export function fittingOutput(tool: Tool, value: unknown): JsonValue {
  const { id } = tool.description;
  let text: string;
  try {
    text = canonicalJson(value);
  } catch (error) {
    throw badOutput(id, error instanceof Error ? error.message : String(error), {}, error);
  }
  if (Buffer.byteLength(text) > largestOutput) throw tooLargeOutput(id);
  const output: JsonValue = JSON.parse(text);
  const problems = below('output', tool.outputProblems(output));
  if (problems.length > 0)
    throw badOutput(id, `it does not fit the output schema: ${problemsText(problems)}`, { problems });
  return output;
}

export function badOutput(
  id: string,
  why: string,
  details: { readonly problems?: readonly { readonly path: string; readonly message: string }[] } = {},
  cause?: unknown,
): WaybillError {
  return new WaybillError('tool_output_invalid', `the output of the tool "${id}" cannot be used: ${why}`, {
    hint: 'A tool gives back one JSON document that fits its output schema, and writes all else to standard error.',
    // Not the same each time for every tool: its retries may help.
    details: { ...details, retryable: true },
    cause,
  });
}

export function tooLargeOutput(id: string): WaybillError {
  return new WaybillError('tool_output_too_large', `the tool "${id}" gave back more than ${largestOutput} bytes`, {
    hint: 'Write what is large to a file of the workspace, and name it under `artifacts` of the description.',
    details: { limit: largestOutput, retryable: false },
  });
}

function below(whole: 'input' | 'output', problems: readonly ShapeProblem[]) {
  return problems.map(({ path, message }) => {
    const separator = path === '' || path.startsWith('[') ? '' : '.';
    return { path: `${whole}${separator}${path}`, message };
  });
}
