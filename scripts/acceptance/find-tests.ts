import { parseSync, type StringLiteral, type TemplateLiteral, Visitor } from 'oxc-parser';

export interface NamedTest {
  readonly file: string;
  readonly name: string;
}

/** Names of tests and groups in a test file, as written; those that are skipped or only planned do not count. */
export function findTests(file: string, source: string): NamedTest[] {
  const { program, errors } = parseSync(file, source);
  const [error] = errors;
  if (error !== undefined) throw new Error(`${file} does not parse: ${error.message}`);
  const found: NamedTest[] = [];
  new Visitor({
    CallExpression({ callee, arguments: [first] }) {
      const words = source.slice(callee.start, callee.end).split(/[^A-Za-z]+/);
      if (!/^(test|it|describe)$/.test(words[0] ?? '')) return;
      if (/^\w+\s*\.\s*(skip|todo)\b/.test(source.slice(callee.start, callee.end))) return;
      if (first?.type === 'Literal' && typeof first.value === 'string') found.push({ file, name: nameOf(first) });
      else if (first?.type === 'TemplateLiteral') found.push({ file, name: nameOf(first) });
    },
  }).visit(program);
  return found;
}

function nameOf(node: StringLiteral | TemplateLiteral): string {
  return node.type === 'Literal' ? node.value : node.quasis.map((part) => part.value.cooked ?? '').join('%s');
}

/** The ids a name begins with: `R7 R8 one byte ...`, `R19, R20: ...`. */
export function idsOf(name: string): string[] {
  const head = /^(?:[A-Z]\d+(?:[ ,:/&]+|$))+/.exec(name)?.[0] ?? '';
  return head.match(/[A-Z]\d+/g) ?? [];
}
