import { lstatSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ToolDetail, ToolList, ToolSummary } from '../../../contract/api/tools.ts';
import type { Configuration } from '../../../contract/configuration.ts';
import { WaybillError } from '../../../contract/errors.ts';
import { isId } from '../../../contract/ids.ts';
import { systemCode } from '../../../platform/files/file-write-failed.ts';
import { nearest } from '../../../platform/nearest/nearest.ts';
import type { Tool, ToolPort } from '../../runs/ports.ts';
import { toolsFolder, toolsFolderName, type Workspace } from '../workspace.ts';
import { describedTool, invalidTool } from './described-tool.ts';
import { fileStamp, isRacy } from './file-stamp.ts';
import { Unusable } from './read-description.ts';
import { whyNotAvailable } from './why-not-available.ts';

/** The tools described in a workspace, read again when a description changes. */
export interface ToolCatalog extends ToolPort {
  /**
   * All of them, those that cannot be used too, each with its reason.
   * @throws WaybillError `file_read_failed` when the folder of tools cannot be read; without one there are none
   */
  list(): Promise<ToolList>;
  /** @throws WaybillError `tool_not_found`, `tool_invalid` */
  detail(id: string): Promise<ToolDetail>;
  /**
   * How many runs of a tool may be at work at once, by tool; those without a limit are not in it. Always what the
   * configuration says, else what the description said when it was last read: it changes with each reading.
   */
  readonly limits: ReadonlyMap<string, number>;
}

/** A description that was read, and what came of it. */
interface Read {
  readonly stamp: string;
  readonly tool: Promise<Tool>;
}

/** The tools under `waybill.tools/<id>/tool.json`, with the permissions the configuration grants. */
export function createToolCatalog(workspace: Workspace, { tools: granted }: Pick<Configuration, 'tools'>): ToolCatalog {
  const read = new Map<string, Read>();
  const limits = new Map(Object.entries(granted.concurrency));

  /** @throws WaybillError `tool_not_found`, `tool_invalid` */
  async function described(id: string): Promise<Tool> {
    if (!isId('name', id)) throw await notFound(id);
    const folder = join(toolsFolder(workspace), id);
    const stamp = fileStamp(join(folder, 'tool.json'));
    if (stamp === undefined) {
      read.delete(id);
      if (!isThere(folder)) throw await notFound(id);
      return describe(id, folder);
    }
    const known = read.get(id);
    if (known?.stamp === stamp) return known.tool;
    const tool = describe(id, folder);
    if (isRacy(stamp)) read.delete(id);
    else read.set(id, { stamp, tool });
    // What could not be used is read again when it is asked for: the reason may pass without a change of the file.
    tool.catch(() => {
      if (read.get(id)?.tool === tool) read.delete(id);
    });
    return tool;
  }

  async function describe(id: string, folder: string): Promise<Tool> {
    try {
      const tool = await describedTool(workspace.root, folder, id);
      const limit = Object.hasOwn(granted.concurrency, id) ? granted.concurrency[id] : tool.description.concurrency;
      if (limit === undefined) limits.delete(id);
      else limits.set(id, limit);
      return tool;
    } catch (error) {
      throw error instanceof Unusable ? invalidTool(fileOf(id), error.message) : error;
    }
  }

  async function notFound(id: string): Promise<WaybillError> {
    const names = await folders(workspace);
    const near = nearest(id, names);
    const list = names.length === 0 ? 'there are none' : `there are: ${names.join(', ')}`;
    return new WaybillError('tool_not_found', `there is no tool ${JSON.stringify(id).slice(0, 160)} (${list})`, {
      hint: near === undefined ? `A tool is described in ${toolsFolderName}/<id>/tool.json.` : `Did you mean ${near}?`,
      details: { tool: id.slice(0, 160).toWellFormed(), nearest: near ?? null },
    });
  }

  const missing = (tool: Tool) =>
    tool.description.permissions.filter((permission) => !granted.permissions.includes(permission));

  async function summary(tool: Tool): Promise<ToolSummary> {
    const { id, version, title, description, kind, sideEffects } = tool.description;
    const refused = missing(tool);
    const reason = refused.length > 0 ? notGranted(refused) : await whyNotAvailable(workspace.root, tool);
    return { id, version, title, description, kind, sideEffects, available: reason === null, reason };
  }

  return {
    limits,
    find: async (id) => {
      const tool = await described(id);
      const refused = missing(tool);
      if (refused.length === 0) return tool;
      throw new WaybillError('tool_not_permitted', `the tool ${id} cannot be used: ${notGranted(refused)}`, {
        hint: 'Grant it with `tools.permissions` in waybill.config.ts, if you trust the tool.',
        details: { tool: id, missing: refused },
      });
    },
    detail: async (id) => {
      const tool = await described(id);
      const { description, inputSchema, outputSchema } = tool.digests;
      return {
        ...(await summary(tool)),
        descriptor: tool.description,
        descriptionDigest: description,
        inputSchemaDigest: inputSchema,
        outputSchemaDigest: outputSchema,
      };
    },
    list: async () => {
      const tools: ToolSummary[] = [];
      const invalid: { readonly file: string; readonly reason: string }[] = [];
      for (const name of await folders(workspace)) {
        if (!isId('name', name)) {
          invalid.push({ file: fileOf(name), reason: 'the name of its folder is not the id of a tool' });
          continue;
        }
        try {
          tools.push(await summary(await described(name)));
        } catch (error) {
          // Gone between the two looks: then it is no tool any more.
          if (error instanceof WaybillError && error.code === 'tool_not_found') continue;
          if (!(error instanceof WaybillError) || error.code !== 'tool_invalid') throw error;
          invalid.push({ file: fileOf(name), reason: String(error.details?.reason ?? error.message) });
        }
      }
      return { tools, invalid };
    },
  };
}

function fileOf(name: string): string {
  return `${toolsFolderName}/${name}/tool.json`;
}

function notGranted(permissions: readonly string[]): string {
  return `the workspace does not grant ${permissions.join(', ')}`;
}

/** Also a link to nothing: it is meant to be a tool, and it is told why it is none. */
function isThere(folder: string): boolean {
  try {
    return lstatSync(folder, { throwIfNoEntry: false }) !== undefined;
  } catch {
    // The folder of all tools cannot be read: that is told when it is listed, for the names there are.
    return false;
  }
}

/** Each folder is meant to be a tool, but hidden ones and what a package manager made. */
async function folders(workspace: Workspace): Promise<string[]> {
  const folder = toolsFolder(workspace);
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory() || entry.isSymbolicLink())
      .map((entry) => entry.name)
      .filter((name) => !name.startsWith('.') && name !== 'node_modules')
      .sort();
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw new WaybillError('file_read_failed', `cannot read the tools of the workspace in ${toolsFolderName}`, {
      hint: 'Check that it is a folder, and who may read it.',
      details: { path: folder, systemCode: systemCode(error) ?? null },
      cause: error,
    });
  }
}
