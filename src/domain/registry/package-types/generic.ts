import { isJsonObject } from '../../../contract/json.ts';
import type { PackageType } from './package-type.ts';
import { readJson } from './read-json.ts';

/** What is wrong with a name that no ecosystem has rules for. */
export function plainNameProblems(name: string): readonly string[] {
  const problems: string[] = [];
  if (!/^[a-z0-9]/.test(name)) problems.push('must begin with a lower case letter or a digit');
  if (/[^a-z0-9._-]/.test(name)) problems.push('must be lower case letters, digits, ".", "_" or "-"');
  if (name.length > 214) problems.push('must have at most 214 characters');
  return problems;
}

export function plainVersionProblems(version: string): readonly string[] {
  const problems: string[] = [];
  if (!/^[A-Za-z0-9]/.test(version)) problems.push('must begin with a letter or a digit');
  if (/[^A-Za-z0-9._+-]/.test(version)) problems.push('must be letters, digits, ".", "_", "+" or "-"');
  if (version.length > 128) problems.push('must have at most 128 characters');
  return problems;
}

/** Any files; the manifest is a JSON object of the publisher's own. */
export const genericType: PackageType = {
  type: 'generic',
  mediaTypes: ['application/json'],
  nameProblems: plainNameProblems,
  versionProblems: plainVersionProblems,
  manifestProblems: ({ body }) => {
    const read = readJson(body);
    if ('problems' in read) return read.problems;
    return isJsonObject(read.value) ? [] : [{ pointer: '', message: 'must be a JSON object' }];
  },
};
