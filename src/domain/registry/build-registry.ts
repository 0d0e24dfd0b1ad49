import type { HostPort } from '../runs/ports.ts';
import { genericType } from './package-types/generic.ts';
import { npmType } from './package-types/npm.ts';
import { ociImageType } from './package-types/oci-image.ts';
import type { PackageType } from './package-types/package-type.ts';
import { waybillRunType } from './package-types/waybill-run.ts';
import { runChecksGate } from './publish/run-checks-gate.ts';
import type { Registry } from './registry.ts';

/** What is built in; plugins add more. */
const builtInTypes: readonly PackageType[] = [genericType, npmType, ociImageType, waybillRunType];

/** A registry on a store and a blob store, with the built-in package types and gates. */
export function buildRegistry(parts: Omit<Registry, 'types' | 'gates'> & { readonly host: HostPort }): Registry {
  const gates = [runChecksGate(parts)];
  return {
    ...parts,
    types: new Map(builtInTypes.map((each) => [each.type, each])),
    gates: new Map(gates.map((gate) => [gate.id, gate])),
  };
}
