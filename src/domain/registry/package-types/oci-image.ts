import { z } from 'zod';
import { idShapes } from '../../../contract/ids.ts';
import type { ManifestProblem, PackageType } from './package-type.ts';
import { readShape } from './shape-of-json.ts';

/** https://github.com/opencontainers/image-spec, v1.1: manifest.md, image-index.md, descriptor.md. */
const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const indexType = 'application/vnd.oci.image.index.v1+json';
/** The media type of a config that holds nothing. */
const emptyType = 'application/vnd.oci.empty.v1+json';

// RFC 6838, section 4.2.
const mediaType = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$/,
    'must be a media type as RFC 6838 has them',
  );
const annotations = z.record(z.string().min(1, 'must not be empty'), z.string()).optional();
const descriptor = z.looseObject({
  mediaType,
  digest: z.string().regex(idShapes.digest, 'must be sha256:<64 hex>: entries have no other digests'),
  size: z.int().min(0),
  urls: z.array(z.string()).optional(),
  annotations,
  data: z.string().optional(),
  artifactType: mediaType.optional(),
});
type Descriptor = z.infer<typeof descriptor>;
const platform = z.looseObject({
  architecture: z.string().min(1),
  os: z.string().min(1),
  'os.version': z.string().optional(),
  'os.features': z.array(z.string()).optional(),
  variant: z.string().optional(),
});
const frame = {
  schemaVersion: z.literal(2, { error: 'must be 2' }),
  mediaType: mediaType.optional(),
  artifactType: mediaType.optional(),
  subject: descriptor.optional(),
  annotations,
};
const imageManifest = z.looseObject({ ...frame, config: descriptor, layers: z.array(descriptor) });
const imageIndex = z.looseObject({
  ...frame,
  manifests: z.array(descriptor.extend({ platform: platform.optional() })),
});

/** An OCI image, or an index of several; config, layers and manifests are entries, under any path. */
export const ociImageType: PackageType = {
  type: 'oci-image',
  mediaTypes: [manifestType, indexType],
  nameProblems,
  versionProblems: tagProblems,
  manifestProblems: ({ mediaType: given, body }, { entries }) => {
    const read = given === indexType ? readIndex(body) : readManifest(body);
    if ('problems' in read) return read.problems;
    const { value, descriptors } = read;
    const problems = [...read.found];
    if (value.mediaType !== undefined && value.mediaType !== given) {
      problems.push({ pointer: '/mediaType', message: `must be ${given}, as the content type says` });
    }
    const sizes = new Map(entries.map(({ digest, size }) => [digest.toString(), size]));
    for (const [pointer, { digest, size }] of descriptors) {
      const actual = sizes.get(digest);
      if (actual === undefined) problems.push({ pointer: `${pointer}/digest`, message: 'is no entry', pending: true });
      else if (actual !== size) {
        problems.push({ pointer: `${pointer}/size`, message: `is not that of the entry, ${actual}` });
      }
    }
    return problems;
  },
};

interface Read {
  readonly value: { readonly mediaType?: string | undefined };
  /** What must be there, by pointer. */
  readonly descriptors: readonly (readonly [string, Descriptor])[];
  /** What is wrong though the shape fits. */
  readonly found: readonly ManifestProblem[];
}

function readManifest(body: Uint8Array): Read | { readonly problems: readonly ManifestProblem[] } {
  const read = readShape(body, imageManifest);
  if ('problems' in read) return read;
  const { value } = read;
  const nameless = value.config.mediaType === emptyType && value.artifactType === undefined;
  const found = nameless ? [{ pointer: '/artifactType', message: 'is needed when the config is empty' }] : [];
  const layers = value.layers.map((layer, index) => [`/layers/${index}`, layer] as const);
  return { value, descriptors: [['/config', value.config], ...layers], found };
}

function readIndex(body: Uint8Array): Read | { readonly problems: readonly ManifestProblem[] } {
  const read = readShape(body, imageIndex);
  if ('problems' in read) return read;
  const { value } = read;
  return {
    value,
    descriptors: value.manifests.map((each, index) => [`/manifests/${index}`, each] as const),
    found: [],
  };
}

/** https://github.com/opencontainers/distribution-spec, v1.1, "Pulling manifests": `<name>`; 255 characters as Docker has it. */
function nameProblems(name: string): readonly string[] {
  const problems: string[] = [];
  if (name.length > 255) problems.push('must have at most 255 characters');
  if (/[^a-z0-9._/-]/.test(name)) problems.push('must be lower case letters, digits, ".", "_", "-" or "/"');
  for (const part of name.slice(0, 4096).split('/')) {
    if (part === '') problems.push('must not have an empty part between slashes');
    else if (!/^[a-z0-9].*[a-z0-9]$|^[a-z0-9]$/s.test(part)) {
      problems.push('must have parts that begin and end with a letter or a digit');
    } else if ((part.match(/[._-]+/g) ?? []).some((between) => !/^(?:\.|__?|-+)$/.test(between))) {
      problems.push('must have one ".", one or two "_", or any number of "-" between letters and digits');
    }
  }
  return [...new Set(problems)];
}

/** The same: `<reference>` as a tag. */
function tagProblems(version: string): readonly string[] {
  const problems: string[] = [];
  if (!/^[A-Za-z0-9_]/.test(version)) problems.push('must begin with a letter, a digit or "_"');
  if (/[^A-Za-z0-9._-]/.test(version)) problems.push('must be letters, digits, ".", "_" or "-"');
  if (version.length > 128) problems.push('must have at most 128 characters');
  return problems;
}
