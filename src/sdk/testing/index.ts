/** `waybill/testing`: agents for tests that do exactly what a script says, the forbidden things included. */
export { readMockScript, runMockAgent } from './mock-agent.ts';
export { type MockAct, type MockScript, mockScriptSchema } from './mock-script.ts';
