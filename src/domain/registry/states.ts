/**
 * A version's life: it is made as a draft, published once, and can then only be tombstoned. A draft that is not wanted is
 * deleted; nothing else ever is. The tables refuse every other move.
 */
export const versionStates = ['draft', 'published', 'tombstoned'] as const;
export type VersionState = (typeof versionStates)[number];
