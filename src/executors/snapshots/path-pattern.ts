import { type PathKey, parentOf, shownPath } from './tree-path.ts';

/**
 * Globs of the configuration: `*` and `?` inside a name, `**` over folders, `[abc]`, `{a,b}`; names with a leading
 * dot are names like any other. A glob that matches a folder matches all below it. Always case-sensitive, on every
 * platform, or the same tree would have two ids (`path.matchesGlob` skips dot files and ignores case on a Mac).
 */
export interface PathPattern {
  /** The path itself, or the topmost folder above it, that matches; undefined when none does. */
  matchedPart(key: PathKey): PathKey | undefined;
}

export function compilePatterns(globs: readonly string[]): PathPattern {
  if (globs.length === 0) return { matchedPart: () => undefined };
  const expression = new RegExp(`^(?:${globs.map(toExpression).join('|')})$`, 'su');
  const folders = new Map<PathKey, PathKey | undefined>();

  function ofFolder(folder: PathKey): PathKey | undefined {
    if (folder === '') return undefined;
    if (folders.has(folder)) return folders.get(folder);
    const found = matchedPart(folder);
    folders.set(folder, found);
    return found;
  }
  function matchedPart(key: PathKey): PathKey | undefined {
    return ofFolder(parentOf(key)) ?? (expression.test(shownPath(key).path) ? key : undefined);
  }
  return { matchedPart };
}

/** The folder a glob starts in, before its first special character: `dist` of `dist/**`, '' of `*.ts`. */
export function startOf(glob: string): string {
  const names = trimmed(glob).split('/');
  const special = names.findIndex((name) => /[*?[\]{}]/.test(name));
  return names.slice(0, special < 0 ? names.length : special).join('/');
}

function trimmed(glob: string): string {
  return glob.replace(/^(?:\.?\/)+/, '').replace(/\/+$/, '');
}

function toExpression(glob: string): string {
  const text = trimmed(glob);
  let out = '';
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if (text.startsWith('**/', at) && (at === 0 || text[at - 1] === '/')) {
      out += '(?:[^/]+/)*';
      at += 2;
    } else if (text.startsWith('**', at)) {
      out += '.*';
      at += 1;
    } else if (char === '*') out += '[^/]*';
    else if (char === '?') out += '[^/]';
    else if (char === '[' && text.indexOf(']', at + 2) > 0) {
      const end = text.indexOf(']', at + 2);
      out += classOf(text.slice(at + 1, end));
      at = end;
    } else if (char === '{' && text.includes('}', at)) {
      out += '(?:';
      depth++;
    } else if (char === '}' && depth > 0) {
      out += ')';
      depth--;
    } else if (char === ',' && depth > 0) out += '|';
    else out += escapeChar(char);
  }
  return out + ')'.repeat(depth);
}

function classOf(inside: string): string {
  const negated = inside.startsWith('!') || inside.startsWith('^');
  const chars = (negated ? inside.slice(1) : inside).replace(/[\\\]^&~|[(){}/]/g, '\\$&');
  return `(?!/)[${negated ? '^' : ''}${chars}]`;
}

function escapeChar(char: string): string {
  return /[\\^$.*+?()[\]{}|/]/.test(char) ? `\\${char}` : char;
}
