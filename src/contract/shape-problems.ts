import type { z } from 'zod';

/** One thing that is wrong with a value from outside, and where: `agents.builder.command[0]`. */
export interface ShapeProblem {
  readonly path: string;
  readonly message: string;
}

interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** A path as a person would write it in code: `checks[0].name`, `agents["my agent"].retries`; '' is the whole. */
export function pathText(path: readonly PropertyKey[]): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (/^[A-Za-z_$][\w$]*$/.test(String(part))) text += text === '' ? String(part) : `.${String(part)}`;
    else text += `[${JSON.stringify(String(part))}]`;
  }
  return text;
}

/** The problems zod found, one entry each, in the order of the value. */
export function shapeProblems(issues: readonly (z.core.$ZodIssue | Issue)[]): ShapeProblem[] {
  return issues.flatMap((issue) => {
    if ('code' in issue && issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({ path: pathText([...issue.path, key]), message: 'is not a known setting' }));
    }
    if ('code' in issue && (issue.code === 'invalid_key' || issue.code === 'invalid_union') && issue.path.length > 0) {
      const inner = issue.code === 'invalid_key' ? issue.issues : issue.errors.flat();
      const reasons = [...new Set(inner.map((each) => sentence(each.message)))].join(', or ');
      return [{ path: pathText(issue.path), message: reasons === '' ? sentence(issue.message) : reasons }];
    }
    return [{ path: pathText(issue.path), message: sentence(issue.message) }];
  });
}

/** zod says "Invalid input: expected string, received number"; the first half says nothing. */
function sentence(message: string): string {
  return message.replace(/^Invalid input: /, '');
}

/** `a: wrong; b: missing`: for one line of a message. */
export function problemsText(problems: readonly ShapeProblem[]): string {
  return problems.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ');
}
