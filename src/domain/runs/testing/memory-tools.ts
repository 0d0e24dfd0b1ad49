import { WaybillError } from '../../../contract/errors.ts';
import type { JsonValue } from '../../../contract/json.ts';
import type { ShapeProblem } from '../../../contract/shape-problems.ts';
import { type ToolDescription, type ToolFunction, toolDescriptionSchema } from '../../../contract/tool.ts';
import { canonicalJson } from '../../../platform/canonical-json/canonical-json.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import type { Tool, ToolPort } from '../ports.ts';

export interface MemoryTool {
  /** What differs from a tool of the kind `function` without side effects. */
  readonly description?: Partial<ToolDescription>;
  readonly call?: ToolFunction;
  readonly inputProblems?: (input: JsonValue) => readonly ShapeProblem[];
  readonly outputProblems?: (output: JsonValue) => readonly ShapeProblem[];
}

/** Tools that are functions of a test; a change of `tools` is a change of their descriptions. */
export function memoryTools(tools: Readonly<Record<string, MemoryTool | WaybillError>>): ToolPort {
  return {
    find: async (id) => {
      const found = tools[id] ?? new WaybillError('tool_not_found', `there is no tool ${id}`);
      if (found instanceof WaybillError) throw found;
      return memoryTool(id, found);
    },
  };
}

function memoryTool(id: string, given: MemoryTool): Tool {
  const kind = given.description?.kind ?? 'function';
  const description = toolDescriptionSchema.parse({
    schema: 'waybill.tool.v1',
    ...{ id, version: '1.0.0', title: id, description: `The tool ${id}.`, kind },
    ...(kind === 'function' ? { module: 'main.ts' } : { command: ['/bin/a-program'] }),
    ...{ inputSchema: true, outputSchema: true, sideEffects: 'none' },
    ...given.description,
  });
  const { inputSchema, outputSchema } = description;
  const digests = {
    description: digestOf(canonicalJson(description)),
    inputSchema: digestOf(canonicalJson(inputSchema)),
    outputSchema: digestOf(canonicalJson(outputSchema)),
  };
  return {
    description,
    folder: `/nowhere/waybill.tools/${id}`,
    digests,
    inputProblems: given.inputProblems ?? (() => []),
    outputProblems: given.outputProblems ?? (() => []),
    load: async () => {
      if (given.call === undefined) throw new WaybillError('tool_invalid', `${id} has no module`);
      return given.call;
    },
  };
}
