import { relative } from 'node:path';
import { WaybillError } from '../../../contract/errors.ts';
import type { ToolDescription } from '../../../contract/tool.ts';
import { canonicalJson } from '../../../platform/canonical-json/canonical-json.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import type { Tool } from '../../runs/ports.ts';
import { compileSchema } from './compile-schema.ts';
import { FunctionLoader } from './load-function.ts';
import { readDescription, Unusable, wordsOf } from './read-description.ts';

/**
 * A tool as its description in the workspace says it is, ready to be called.
 * @param folder absolute
 * @throws Unusable
 */
export async function describedTool(root: string, folder: string, id: string): Promise<Tool> {
  const path = relative(root, folder);
  const file = `${path}/tool.json`;
  const { description, digest } = await readDescription(root, file, id);
  const [inputProblems, outputProblems] = await Promise.all([
    compiled('inputSchema', description.inputSchema),
    compiled('outputSchema', description.outputSchema),
  ]);
  const loader = description.module === undefined ? null : new FunctionLoader(root, `${path}/${description.module}`);
  return {
    description,
    folder,
    digests: {
      description: digest,
      inputSchema: digestOf(canonicalJson(description.inputSchema)),
      outputSchema: digestOf(canonicalJson(description.outputSchema)),
    },
    inputProblems,
    outputProblems,
    load: async () => {
      if (loader === null) throw invalidTool(file, 'module: a tool of the kind "command" has none');
      try {
        return await loader.load();
      } catch (error) {
        throw error instanceof Unusable ? invalidTool(file, error.message) : error;
      }
    },
  };
}

async function compiled(member: 'inputSchema' | 'outputSchema', schema: ToolDescription['inputSchema']) {
  try {
    return await compileSchema(schema);
  } catch (error) {
    throw new Unusable(`${member}: ${wordsOf(error)}`);
  }
}

export function invalidTool(file: string, reason: string): WaybillError {
  return new WaybillError('tool_invalid', `${file}: ${reason}`, {
    hint: 'Correct the description; `waybill tools` shows which can be used.',
    details: { file, reason },
  });
}
