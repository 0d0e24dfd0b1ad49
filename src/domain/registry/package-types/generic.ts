import type { PackageType } from './package-type.ts';

/** Any files; the manifest is a JSON object of the publisher's own. */
export const genericType: PackageType = {
  type: 'generic',
  mediaTypes: ['application/json'],
  nameProblems: (name) =>
    /^[a-z0-9][a-z0-9._-]{0,213}$/.test(name) ? [] : ['must be lower case letters, digits, ".", "_" or "-"'],
  versionProblems: (version) =>
    /^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$/.test(version) ? [] : ['must be letters, digits, ".", "_", "+" or "-"'],
  manifestProblems: ({ body }) => {
    try {
      JSON.parse(Buffer.from(body).toString('utf8'));
      return [];
    } catch {
      return [{ pointer: '', message: 'is not JSON' }];
    }
  },
};
