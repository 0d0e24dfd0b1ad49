import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { WaybillError } from '../../contract/errors.ts';

/** The subpath exports of the package, and the module of the running program each of them means. */
const entries = {
  waybill: '../../sdk/workspace/index',
  'waybill/agent': '../../sdk/agent/index',
  'waybill/client': '../../sdk/client/index',
  'waybill/plugin': '../../sdk/plugin/index',
  'waybill/testing': '../../sdk/testing/index',
} as const satisfies Record<string, string>;

// `.ts` when the program runs from its sources, `.js` when it runs from `dist`: the files lie alike.
const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'));

function isEntry(specifier: string): specifier is keyof typeof entries {
  return Object.hasOwn(entries, specifier);
}

const roots = new Set<string>();
let registered = false;

/**
 * From now on `import ... from 'waybill'` means this very program, wherever the importing file lies: a workspace
 * needs no install, and what it defines is made by the same classes that run it. Also, the TypeScript of a
 * workspace is read as ES modules whatever its package.json says, because a configuration starts with `import`.
 */
export function resolveProgramFor(root: string): void {
  roots.add(root);
  if (registered) return;
  registered = true;
  registerHooks({
    resolve: (specifier, context, next) => {
      if (isEntry(specifier)) {
        return { url: new URL(`${entries[specifier]}${extension}`, import.meta.url).href, shortCircuit: true };
      }
      if (specifier.startsWith('waybill/')) throw unknownSubpath(specifier);
      const resolved = next(specifier, context);
      return isWorkspaceModule(resolved) && context.conditions.includes('import')
        ? { ...resolved, format: 'module-typescript' }
        : resolved;
    },
  });
}

function isWorkspaceModule({
  url,
  format,
}: {
  readonly url: string;
  readonly format?: string | null | undefined;
}): boolean {
  if (!url.startsWith('file:') || format === 'module') return false;
  // Without a query: a tool's module is loaded again under another one when its file has changed.
  const path = fileURLToPath(url);
  if (!path.endsWith('.ts')) return false;
  return !path.includes('/node_modules/') && [...roots].some((root) => path.startsWith(`${root}/`));
}

function unknownSubpath(specifier: string): WaybillError {
  return new WaybillError('config_failed', `"${specifier}" is not a part of waybill`, {
    hint: `What can be imported: ${Object.keys(entries).join(', ')}.`,
  });
}
