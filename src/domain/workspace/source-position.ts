import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A line of a file a person can open. */
export interface SourcePosition {
  readonly file: string;
  readonly line: number;
}

/**
 * Where in a workspace's own files an error of loading `file` came from; null when that cannot be found out.
 * Node tells it in four ways: the head of a syntax error's stack, a frame of the stack, the missing module's
 * name in the message, or (for early errors V8 finds) not at all, and then its own syntax check is asked.
 */
export function sourcePosition(error: unknown, file: string, root: string): SourcePosition | null {
  if (!(error instanceof Error)) return null;
  return (
    headOfStack(error.stack ?? '') ??
    frameInside(error.stack ?? '', root) ??
    importOf(error.message, file) ??
    (error instanceof SyntaxError ? syntaxCheck(file) : null)
  );
}

function position(url: string, line: string): SourcePosition {
  return { file: url.startsWith('file:') ? fileURLToPath(url) : url, line: Number(line) };
}

function headOfStack(stack: string): SourcePosition | null {
  const [, url, line] = /^(file:\/\/[^\n]+?):(\d+)\n/.exec(stack) ?? [];
  return url !== undefined && line !== undefined ? position(url, line) : null;
}

function frameInside(stack: string, root: string): SourcePosition | null {
  for (const [, url, line] of stack.matchAll(/^ +at .*?\(?(file:\/\/[^\n)]+?):(\d+):\d+\)?$/gm)) {
    if (url === undefined || line === undefined) continue;
    const found = position(url, line);
    if (found.file.startsWith(`${root}/`) && !found.file.includes('/node_modules/')) return found;
  }
  return null;
}

function importOf(message: string, file: string): SourcePosition | null {
  const [, missing, importer] = /^Cannot find (?:module|package) '([^']+)' imported from (\S.*)$/m.exec(message) ?? [];
  if (missing === undefined) return null;
  const from = importer ?? file;
  const name = missing.slice(missing.lastIndexOf('/') + 1);
  const lines = textOf(from).split('\n');
  const index = lines.findIndex((line) => /\b(import|from|export)\b/.test(line) && line.includes(name));
  return index < 0 ? null : { file: from, line: index + 1 };
}

function syntaxCheck(file: string): SourcePosition | null {
  const check = spawnSync(process.execPath, ['--check', '--input-type=module-typescript'], {
    input: textOf(file),
    encoding: 'utf8',
    timeout: 10_000,
  });
  const [, line] = /^\[stdin\]:(\d+)$/m.exec(check.stderr) ?? [];
  return line === undefined ? null : { file, line: Number(line) };
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // The position is a courtesy of an error that is reported anyway; a file that is gone has none.
    return '';
  }
}
