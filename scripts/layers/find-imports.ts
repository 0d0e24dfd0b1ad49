import { parseSync, Visitor } from 'oxc-parser';

export interface Import {
  /** What stands between the quotes; undefined for `import(expression)`, which no rule can judge. */
  readonly specifier: string | undefined;
  readonly typesOnly: boolean;
  readonly line: number;
}

/**
 * All imports of a TypeScript source: import, export-from, import(), `import('x').T` and `declare module 'x'`.
 * @throws Error when the source does not parse: then nothing is known about its imports.
 */
export function findImports(path: string, source: string): Import[] {
  const { module, program, errors } = parseSync(path, source);
  const [error] = errors;
  if (error !== undefined) throw new Error(`${path} does not parse: ${error.message}`);
  const lineAt = (offset: number): number => source.slice(0, offset).split('\n').length;
  const found: Import[] = [];
  for (const { start, moduleRequest, entries } of module.staticImports) {
    const typesOnly = entries.length > 0 && entries.every((entry) => entry.isType);
    found.push({ specifier: moduleRequest.value, typesOnly, line: lineAt(start) });
  }
  for (const { start, entries } of module.staticExports) {
    const sources = new Set(entries.flatMap((entry) => entry.moduleRequest?.value ?? []));
    const typesOnly = entries.every((entry) => entry.isType);
    for (const specifier of sources) found.push({ specifier, typesOnly, line: lineAt(start) });
  }
  for (const { start, moduleRequest } of module.dynamicImports) {
    const text = source.slice(moduleRequest.start, moduleRequest.end);
    const literal = /^(['"`])([^'"`$]*)\1$/.exec(text);
    found.push({ specifier: literal?.[2], typesOnly: false, line: lineAt(start) });
  }
  const addType = (specifier: string, start: number) => found.push({ specifier, typesOnly: true, line: lineAt(start) });
  new Visitor({
    TSImportType: ({ source, start }) => addType(source.value, start),
    TSModuleDeclaration: ({ id, start }) => {
      if (id.type === 'Literal') addType(id.value, start);
    },
  }).visit(program);
  return found;
}
