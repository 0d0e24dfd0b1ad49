/** The features of the domain, in order: one may import only those left of it. */
export const features = ['decisions', 'gates', 'runs', 'registry', 'incidents', 'workspace'] as const;
export type Feature = (typeof features)[number];

const layers = ['surfaces', 'views', 'workers', 'executors', 'platform', 'contract', 'sdk'] as const;
export type Layer = (typeof layers)[number];

/** Where a file belongs; `outside` is what surrounds the program: scripts, benchmarks, tests, examples. */
export type Room =
  | { readonly layer: Layer | 'main' | 'outside' }
  | { readonly layer: 'domain'; readonly feature: Feature; readonly ports: boolean };

const outside = /^(scripts|bench|demo|test|examples)\//;
const rootFile = /^[^/]+\.config\.ts$/;

/** The room of a path relative to the root, or undefined when no rule places it. */
export function roomOf(path: string): Room | undefined {
  if (outside.test(path) || rootFile.test(path)) return { layer: 'outside' };
  const [src, layer, name, ...rest] = path.split('/');
  if (src !== 'src' || layer === undefined) return undefined;
  if (layer === 'main.ts' && name === undefined) return { layer: 'main' };
  if (layer === 'main' && name !== undefined && rest.length === 0) return { layer: 'main' };
  if (name === undefined) return undefined;
  if (layer === 'domain') {
    const feature = features.find((candidate) => candidate === name);
    if (feature === undefined || rest.length === 0) return undefined;
    return { layer: 'domain', feature, ports: rest.length === 1 && rest[0] === 'ports.ts' };
  }
  const known = layers.find((candidate) => candidate === layer);
  return known === undefined ? undefined : { layer: known };
}

export function isTest(path: string): boolean {
  return path.endsWith('.test.ts');
}
