/**
 * Which of these paths a glob names: `*` and `?` inside a name, `**` over folders; one that names a folder names all
 * below it. Case counts.
 */
export function matchingPaths(glob: string, paths: readonly string[]): readonly string[] {
  const expression = expressionOf(glob);
  return paths.filter((path) => expression.test(path));
}

function expressionOf(glob: string): RegExp {
  const text = glob.replace(/^(?:\.?\/)+/, '').replace(/\/+$/, '');
  const parts = text.split(/(\*\*\/|\*\*|\*|\?)/).map((part) => {
    switch (part) {
      case '**/':
        return '(?:[^/]+/)*';
      case '**':
        return '.*';
      case '*':
        return '[^/]*';
      case '?':
        return '[^/]';
      default:
        return part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
    }
  });
  return new RegExp(`^${parts.join('')}(?:/.*)?$`, 'su');
}
