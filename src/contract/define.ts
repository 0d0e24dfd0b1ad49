import type { ConfigurationInput } from './configuration.ts';
import { WaybillError } from './errors.ts';
import { parseId } from './ids.ts';
import type { JsonValue } from './json.ts';
import { problemsText, shapeProblems } from './shape-problems.ts';
import type { AnyWorkflow, InputSchema, Workflow, WorkflowOptions } from './workflow.ts';

/**
 * Gives a `waybill.config.ts` its types; the value is checked when the configuration is loaded, so that all
 * problems are reported together.
 */
export function defineConfig(configuration: ConfigurationInput): ConfigurationInput {
  return configuration;
}

type PlainOptions = Omit<WorkflowOptions<JsonValue>, 'input'> & { readonly input?: never };
type SchemaOptions<I> = WorkflowOptions<I> & { readonly input: InputSchema<I> };
type Parts<I> =
  | [fn: Workflow<JsonValue>['fn']]
  | [options: PlainOptions, fn: Workflow<JsonValue>['fn']]
  | [options: SchemaOptions<I>, fn: Workflow<I>['fn']];

/**
 * Makes a workflow: an async function whose steps are recorded. With `options.input` (any schema with zod's
 * `safeParse`) the function gets the parsed input, with its defaults and its type; without one, any JSON.
 * @throws WaybillError `invalid_id` when `name` is not a name.
 */
export function defineWorkflow(name: string, fn: Workflow<JsonValue>['fn']): AnyWorkflow;
export function defineWorkflow(name: string, options: PlainOptions, fn: Workflow<JsonValue>['fn']): AnyWorkflow;
export function defineWorkflow<I>(name: string, options: SchemaOptions<I>, fn: Workflow<I>['fn']): AnyWorkflow;
export function defineWorkflow<I>(name: string, ...parts: Parts<I>): AnyWorkflow {
  parseId('name', name);
  if (hasSchema(parts)) return withSchema(name, ...parts);
  const [options, fn] = parts.length === 1 ? [{}, parts[0]] : parts;
  return { ...facts(name, options, fn), problems: () => [], start: async (run, input) => fn(run, input) };
}

function hasSchema<I>(parts: Parts<I>): parts is [options: SchemaOptions<I>, fn: Workflow<I>['fn']] {
  return parts.length === 2 && parts[0].input !== undefined;
}

function withSchema<I>(name: string, options: SchemaOptions<I>, fn: Workflow<I>['fn']): AnyWorkflow {
  return {
    ...facts(name, options, fn),
    problems: (input) => {
      const parsed = options.input.safeParse(input);
      return parsed.success ? [] : shapeProblems(parsed.error.issues);
    },
    start: async (run, input) => {
      const parsed = options.input.safeParse(input);
      if (parsed.success) return fn(run, parsed.data);
      const problems = shapeProblems(parsed.error.issues);
      throw new WaybillError(
        'invalid_input',
        `the input of the workflow "${name}" is not valid: ${problemsText(problems)}`,
        {
          details: { problems: problems.map(({ path, message }) => ({ path, message })) },
        },
      );
    },
  };
}

function facts(
  name: string,
  options: Omit<WorkflowOptions<unknown>, 'input'>,
  fn: { toString(): string },
): Pick<AnyWorkflow, 'name' | 'snapshot' | 'version' | 'code'> {
  return { name, snapshot: options.snapshot ?? 'list', version: options.version ?? null, code: fn.toString() };
}
