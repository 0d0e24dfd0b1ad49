import pc from 'picocolors';

/** How the demo speaks: plain text in a pipe, a little colour on a terminal. */
const { bold, cyan, dim, green, red } = pc.createColors(process.stdout.isTTY === true && !process.env.NO_COLOR);

let stages = 0;

/** Begins a stage: its number and title, and what it is about in a line or two. */
export function stage(title: string, ...why: readonly string[]): void {
  stages += 1;
  say('', bold(`${stages}. ${title}`), ...why.map((line) => `   ${line}`), '');
}

/** A command as a person would type it. */
export function typed(command: string): void {
  say(`   ${cyan('$')} ${command}`);
}

/** A line a command printed. */
export function printed(line: string): void {
  say(`   ${dim('|')} ${line}`);
}

/** Says that something holds, after looking. When it does not, the demo ends here, with exit code 1. */
export function claim(what: string, holds: boolean): void {
  say(`   ${holds ? green('✓') : red('✗ this does not hold:')} ${what}`);
  if (holds) return;
  process.exit(1);
}

export function say(...lines: readonly string[]): void {
  for (const line of lines) console.log(line);
}
