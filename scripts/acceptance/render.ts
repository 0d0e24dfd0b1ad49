import type { JudgedCase } from './judge.ts';

/** The page `docs/acceptance.md`. */
export function renderAcceptance(cases: readonly JudgedCase[]): string {
  const met = cases.filter(isMet).length;
  const areas = [...new Set(cases.map(({ area }) => area))];
  return `# Acceptance

${met} of ${cases.length} cases are met.

A case is met when an automated test that runs in \`npm test\` drives the real thing through it; the test's name begins
with the case's id. The words are the first of the case. Written by \`npm run check\` from the names of the tests and from
\`acceptance-open.json\`; it fails on a case that has neither a test nor a reason, and on one that has both.

${areas.map((area) => renderArea(area, cases)).join('\n')}`;
}

function isMet(one: JudgedCase): boolean {
  return one.files.length > 0 && one.open === undefined;
}

function renderArea(area: string, all: readonly JudgedCase[]): string {
  const cases = all.filter((one) => one.area === area);
  const rows = cases.map((one) => `| ${one.id} | ${cell(one.words)} | ${cell(stateOf(one))} |`);
  return `## ${area}: ${cases.filter(isMet).length} of ${cases.length}

| case | what it shows | met by, or why it is open |
|---|---|---|
${rows.join('\n')}
`;
}

function stateOf({ id, files, open }: JudgedCase): string {
  if (open !== undefined) return `open: ${open}`;
  if (files.length === 0) return 'open, and nobody says why';
  return `met: \`npm test -- -t '${id}\\b' ${files.join(' ')}\``;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
