import type { ToolDetail, ToolList } from '../../../contract/api/tools.ts';
import type { ToolPort } from '../../runs/ports.ts';

/** The tools described in a workspace, read again when a description changes. */
export interface ToolCatalog extends ToolPort {
  /** All of them, those that cannot be used too, each with its reason. */
  list(): Promise<ToolList>;
  /** @throws WaybillError `tool_not_found`, `tool_invalid` */
  detail(id: string): Promise<ToolDetail>;
}
