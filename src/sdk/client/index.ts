/** `waybill/client`: everything a program needs to work with a daemon. Imports nothing but the contract. */
export type { Issue, Problem } from '../../contract/api/problem.ts';
export type { RunAnswer, RunDetail, RunSummary, Step } from '../../contract/api/runs.ts';
export type { Capabilities, Health, Readiness } from '../../contract/api/system.ts';
export type { MadeToken, Token } from '../../contract/api/tokens.ts';
export type { ToolDetail, ToolList, ToolSummary } from '../../contract/api/tools.ts';
export { type ErrorCode, WaybillError } from '../../contract/errors.ts';
export type { EventType, LedgerEvent, Receipt, RunProvenance } from '../../contract/evidence.ts';
export type { JsonValue } from '../../contract/json.ts';
export { type Client, type ClientOptions, createClient, type DaemonAddress, type RunOptions } from './client.ts';
export type { Fetch } from './fetch.ts';
export type { FollowEnd, FollowOptions } from './follow.ts';
export type { EventsOptions } from './read-events.ts';
export type { ByteSource, Download, FilePlace, GetBytesOptions, PutBlobOptions } from './transfers.ts';
export type { WaitOptions } from './wait-for-run.ts';
