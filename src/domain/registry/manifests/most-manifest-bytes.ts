/** A manifest says where things are; it does not hold them. */
export const mostManifestBytes = 1_048_576;
