import { createRequire } from 'node:module';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { ToolFunction } from '../../../contract/tool.ts';
import { resolveInside } from '../../../platform/files/safe-path.ts';
import { resolveProgramFor } from '../resolve-program.ts';
import { sourcePosition } from '../source-position.ts';
import { fileStamp, isRacy } from './file-stamp.ts';
import { Unusable, wordsOf } from './read-description.ts';

/** A module may await something at its top level, but a run must not hang because of it. */
const longestLoadMs = 30_000;

const { cache: loadedByRequire } = createRequire(import.meta.url);

/**
 * The default export of a tool's module, loaded again when the file has changed. What it imports itself is not looked
 * at: Node keeps that until the process ends, and it keeps every version it has loaded.
 */
export class FunctionLoader {
  readonly #root: string;
  readonly #path: string;
  #loaded: { readonly stamp: string; readonly module: Promise<ToolFunction> } | undefined;

  /** @param path of the module, relative to the workspace */
  constructor(root: string, path: string) {
    this.#root = root;
    this.#path = path;
  }

  /** @throws Unusable */
  async load(): Promise<ToolFunction> {
    const stamp = fileStamp(join(this.#root, this.#path));
    if (stamp === undefined) throw new Unusable(`module: there is no file ${this.#path}`);
    if (this.#loaded?.stamp === stamp) return this.#loaded.module;
    const module = this.#import(stamp);
    this.#loaded = isRacy(stamp) ? undefined : { stamp, module };
    module.catch(() => {
      // What it needs may come without a change of the file itself.
      if (this.#loaded?.module === module) this.#loaded = undefined;
    });
    return module;
  }

  async #import(stamp: string): Promise<ToolFunction> {
    const file = await resolveInside(this.#root, this.#path).catch((error: unknown) => {
      throw new Unusable(`module: ${wordsOf(error)}`);
    });
    resolveProgramFor(this.#root);
    delete loadedByRequire[file];
    // Two writes within one tick of the clock have one stamp: then each load gets an address of its own.
    const version = isRacy(stamp) ? `${stamp}-${performance.now()}` : stamp;
    const exported = await importBefore(`${pathToFileURL(file).href}?v=${version}`, longestLoadMs).catch(
      (error: unknown) => {
        throw new Unusable(`module: ${this.#whyNot(error, file)}`);
      },
    );
    if ('default' in exported && isFunction(exported.default)) return exported.default;
    throw new Unusable(`module: the default export of ${this.#path} is not a function`);
  }

  #whyNot(error: unknown, file: string): string {
    const found = sourcePosition(error, file, this.#root);
    const where = found === null ? this.#path : `${relative(this.#root, found.file)}:${found.line}`;
    return `${wordsOf(error).split('\n')[0]} (${where})`;
  }
}

function isFunction(value: unknown): value is ToolFunction {
  return typeof value === 'function';
}

async function importBefore(url: string, timeoutMs: number): Promise<object> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`did not finish loading within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    const exported: object = await Promise.race([import(url), late]);
    return exported;
  } finally {
    clearTimeout(timer);
  }
}
