/** `waybill/agent`: write an agent that speaks `waybill.agent.v1`. */
export type { CommandLine } from '../../contract/agent-protocol.ts';
export { agentProtocol, maxLineBytes } from '../../contract/agent-protocol.ts';
export type { JsonObject, JsonValue } from '../../contract/json.ts';
export type { Artifact } from '../../contract/workflow.ts';
export type { AgentSurroundings } from './agent-connection.ts';
export {
  type Action,
  type ActionContext,
  type ActionResult,
  type AgentDefinition,
  AgentError,
  runAgent,
} from './run-agent.ts';
