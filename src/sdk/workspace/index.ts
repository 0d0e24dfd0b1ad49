/** What `import ... from 'waybill'` gives: all that a `waybill.config.ts` and its workflows need. */

export { z } from 'zod';
export type {
  AgentInput,
  ConfigurationInput,
  FunctionAgent,
  FunctionAgentAnswer,
  FunctionAgentCommand,
} from '../../contract/configuration.ts';
export { defineConfig, defineWorkflow } from '../../contract/define.ts';
export { type ErrorCode, WaybillError, type WaybillErrorOptions } from '../../contract/errors.ts';
export type { JsonObject, JsonValue } from '../../contract/json.ts';
export type {
  AgentResult,
  AgentStep,
  AnyWorkflow,
  ApprovalAnswer,
  ApprovalRequest,
  Artifact,
  Check,
  DecisionEngine,
  ExecResult,
  ExecStep,
  InputSchema,
  RetryPolicy,
  RunContext,
  StepContext,
  StepOptions,
  WorkflowOptions,
} from '../../contract/workflow.ts';
