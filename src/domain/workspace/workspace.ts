import { join } from 'node:path';

/** A directory (usually a git checkout) with a `waybill.config.ts` and a `.waybill/` data folder. */
export interface Workspace {
  /** Absolute, links resolved: the same workspace has one root, however it was reached. */
  readonly root: string;
  /** Null when there is only a `.waybill/` folder; every setting then has its default. */
  readonly configurationPath: string | null;
}

export const configurationName = 'waybill.config.ts';
export const dataFolderName = '.waybill';
export const tasksFolderName = 'waybill.tasks';
export const toolsFolderName = 'waybill.tools';

/** Where Waybill keeps its data: the database, blobs and evidence files. */
export function dataFolder(workspace: Workspace): string {
  return join(workspace.root, dataFolderName);
}

/** Where the tasks of a workspace lie, as files a person edits. */
export function tasksFolder(workspace: Workspace): string {
  return join(workspace.root, tasksFolderName);
}

/** Where the tools of a workspace are described, a folder each. */
export function toolsFolder(workspace: Workspace): string {
  return join(workspace.root, toolsFolderName);
}

/** Where a running daemon says how it is reached; without the file there is none. */
export function daemonFile(workspace: Workspace): string {
  return join(dataFolder(workspace), 'daemon.json');
}
