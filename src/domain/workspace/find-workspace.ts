import { realpath, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { WaybillError } from '../../contract/errors.ts';
import { systemCode } from '../../platform/files/file-write-failed.ts';
import { configurationName, dataFolderName, type Workspace } from './workspace.ts';

/**
 * The workspace a folder belongs to: the nearest folder, from `start` upwards, with a `waybill.config.ts` or a
 * `.waybill/` folder.
 * @throws WaybillError `workspace_not_found` when there is none, or `start` is no folder;
 * `config_invalid` when `waybill.config.ts` is not a file
 */
export async function findWorkspace(start: string): Promise<Workspace> {
  const from = await realFolder(start);
  for (let folder = from; ; folder = dirname(folder)) {
    const configurationPath = join(folder, configurationName);
    const configuration = await kindOf(configurationPath);
    if (configuration === 'file') return { root: folder, configurationPath };
    if (configuration !== 'nothing') {
      throw new WaybillError('config_invalid', `${configurationPath} is not a file`, {
        hint: 'Move it away and run `waybill init`.',
      });
    }
    if ((await kindOf(join(folder, dataFolderName))) === 'folder') return { root: folder, configurationPath: null };
    if (dirname(folder) === folder) break;
  }
  throw new WaybillError(
    'workspace_not_found',
    `no workspace here: neither ${from} nor a folder above it has a ${configurationName}`,
    {
      hint: 'Run `waybill init` in the folder that should be one, or name one with --workspace DIR.',
      details: { start: from },
    },
  );
}

async function realFolder(start: string): Promise<string> {
  const absolute = resolve(start);
  if ((await kindOf(absolute)) !== 'folder') {
    throw new WaybillError('workspace_not_found', `there is no folder ${absolute}`, {
      hint: 'Check the path given with --workspace.',
      details: { start: absolute },
    });
  }
  return await realpath(absolute);
}

async function kindOf(path: string): Promise<'file' | 'folder' | 'other' | 'nothing'> {
  try {
    const stats = await stat(path);
    return stats.isFile() ? 'file' : stats.isDirectory() ? 'folder' : 'other';
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return 'nothing';
    throw new WaybillError(
      'workspace_not_found',
      `cannot look at ${path}: ${error instanceof Error ? error.message : String(error)}`,
      {
        hint: 'Check who may read this folder and the ones above it.',
        details: { path, systemCode: code ?? null },
        cause: error,
      },
    );
  }
}
