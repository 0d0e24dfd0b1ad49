import { readFile } from 'node:fs/promises';
import { relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Configuration, parseConfiguration } from '../../contract/configuration.ts';
import { WaybillError } from '../../contract/errors.ts';
import type { Digest } from '../../contract/ids.ts';
import { digestOf } from '../../platform/digests/digest.ts';
import { resolveProgramFor } from './resolve-program.ts';
import { sourcePosition } from './source-position.ts';
import type { Workspace } from './workspace.ts';

export interface LoadedConfiguration {
  readonly configuration: Configuration;
  /** Of the bytes of `waybill.config.ts`, for provenance; null without one. What it imports is not part of it. */
  readonly digest: Digest | null;
}

/** A configuration may await something, but a command a person typed must not hang because of it. */
const defaultTimeoutMs = 30_000;

/**
 * Runs `waybill.config.ts` with Node's own type stripping and checks what it exports by default.
 * @throws WaybillError `config_failed` when the file cannot be run (syntax, a missing import, an exception, no end
 * within `timeoutMs`) and `config_invalid` when what it exports is wrong; both with file, line where known, and reason
 */
export async function loadConfiguration(
  workspace: Workspace,
  options: { readonly timeoutMs?: number } = {},
): Promise<LoadedConfiguration> {
  const file = workspace.configurationPath;
  if (file === null) return { configuration: parseConfiguration({}), digest: null };
  const digest = digestOf(await read(file));
  resolveProgramFor(workspace.root);
  const exported = await importBefore(file, workspace.root, options.timeoutMs ?? defaultTimeoutMs);
  return { configuration: checked(file, exported), digest };
}

async function read(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new WaybillError('config_failed', `cannot read ${file}: ${reasonOf(error)}`, {
      hint: 'Check who may read the file.',
      details: { file },
      cause: error,
    });
  }
}

async function importBefore(file: string, root: string, timeoutMs: number): Promise<object> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(tooLate(file, timeoutMs)), timeoutMs);
  });
  try {
    const loaded: object = await Promise.race([import(pathToFileURL(file).href), late]);
    return loaded;
  } catch (error) {
    throw failed(error, file, root);
  } finally {
    clearTimeout(timer);
  }
}

function failed(error: unknown, file: string, root: string): WaybillError {
  if (error instanceof WaybillError && error.code === 'config_failed') return error;
  const found = sourcePosition(error, file, root);
  const where = found === null ? file : `${found.file}:${found.line}`;
  const kind = error instanceof SyntaxError ? 'cannot be read' : 'failed';
  return new WaybillError('config_failed', `the configuration ${kind}: ${reasonOf(error)} (${where})`, {
    hint: hintFor(error, found === null ? file : relative(root, found.file)),
    details: { file: found?.file ?? file, line: found?.line ?? null, reason: reasonOf(error) },
    cause: error,
  });
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return `it threw ${JSON.stringify(error)?.slice(0, 200) ?? typeof error}`;
  return error.message.split('\n')[0]?.trim() || error.name;
}

function hintFor(error: unknown, file: string): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  switch (code) {
    case 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX':
      return 'Node strips types but compiles nothing: use no enum, namespace or parameter property.';
    case 'ERR_MODULE_NOT_FOUND':
      return 'Write relative imports with their extension (./flows.ts); packages must be installed in the workspace.';
    default:
      return `Correct ${file} and run the command again.`;
  }
}

function tooLate(file: string, timeoutMs: number): WaybillError {
  return new WaybillError('config_failed', `the configuration did not finish within ${timeoutMs} ms (${file})`, {
    hint: 'Something it awaits at its top level never happens.',
    details: { file, line: null, reason: 'timeout' },
  });
}

function checked(file: string, exported: object): Configuration {
  if (!('default' in exported)) {
    throw new WaybillError('config_invalid', `${file} has no default export`, {
      hint: 'Write `export default defineConfig({ ... })`.',
      details: { file },
    });
  }
  try {
    return parseConfiguration(exported.default);
  } catch (error) {
    if (!(error instanceof WaybillError)) throw error;
    throw new WaybillError('config_invalid', `${error.message} (${file})`, {
      ...(error.hint !== undefined && { hint: error.hint }),
      details: { file, ...error.details },
      cause: error,
    });
  }
}
