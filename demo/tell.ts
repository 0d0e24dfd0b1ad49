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

/** Says that something holds, after looking; when it does not, the demo ends. */
export function claim(what: string, holds: boolean): void {
  if (!holds) fail(`this does not hold: ${what}`);
  say(`   ${green('✓')} ${what}`);
}

/** Ends the demo, with exit code 1. */
export function fail(why: string): never {
  say(`   ${red('✗')} ${why}`);
  process.exit(1);
}

export function say(...lines: readonly string[]): void {
  for (const line of lines) console.log(line);
}
