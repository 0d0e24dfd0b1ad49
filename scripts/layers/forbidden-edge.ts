import { features, type Layer, type Room } from './room.ts';

/** Which layers a layer may import; itself always, the domain's features and ports are looked at apart. */
const allowed: Record<Layer | 'domain', readonly Room['layer'][]> = {
  // The command line is one of the users of the client: no call to the daemon is written a second time.
  surfaces: ['views', 'domain', 'contract', 'platform', 'sdk'],
  views: ['domain', 'contract', 'platform'],
  workers: ['domain', 'contract', 'platform'],
  domain: ['contract', 'platform'],
  executors: ['domain', 'contract', 'platform'],
  platform: ['contract'],
  contract: [],
  sdk: ['contract'],
};

/**
 * Why an import from one room into another is forbidden, or undefined when it is allowed.
 * Section 3 of the design: "the direction of imports".
 */
export function forbiddenEdge(from: Room, to: Room, typesOnly: boolean): string | undefined {
  if (from.layer === 'outside' || from.layer === 'main') return undefined;
  if (to.layer === 'main') return 'main.ts is imported by nobody';
  if (from.layer === 'domain' && to.layer === 'domain') {
    if (features.indexOf(to.feature) <= features.indexOf(from.feature)) return undefined;
    return `domain/${from.feature} may import only features left of it, and domain/${to.feature} is right of it`;
  }
  if (from.layer === to.layer) return undefined;
  if (!allowed[from.layer].includes(to.layer)) return `${from.layer} may not import ${to.layer}`;
  if (from.layer === 'executors' && to.layer === 'domain') {
    if (!to.ports) return 'executors may import only ports.ts of a domain feature';
    if (!typesOnly) return 'executors may import only types from ports.ts: write `import type`';
  }
  return undefined;
}
