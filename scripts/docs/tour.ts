import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';

/** How long one command of a page may take, in milliseconds. */
const patience = 120_000;
/** Ids that commands make and later ones name: of runs, versions, rules, webhooks. */
const namedId = /\b(?:run-\d{8}-\d{6}-[0-9a-f]{8}|(?:ver|rule|wh)_[0-9a-f]{16})\b/g;

/**
 * Runs a page of documentation: in a new folder, in order, it writes each code block that begins with `// NAME.ts` (or
 * `# NAME.md`, or follows the words `NAME.json`: at the end of a paragraph) to that file, and runs each command of a
 * `console` block, a line that begins with `$ `.
 * What a command defines (`NAME=...`, `name() { ...; }`) is there in later ones; a daemon that is left is ended.
 * @returns the page with what the commands print now; ids in later commands are those of this time
 */
export async function runTour(page: string): Promise<{ readonly page: string; readonly commands: number }> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'waybill-docs-')));
  const root = join(folder, 'shop');
  try {
    await mkdir(join(folder, 'bin'));
    await mkdir(root);
    await linkPackage(join(folder, 'node_modules', 'waybill'));
    await symlink(join(import.meta.dirname, '..', '..', 'bin', 'waybill'), join(folder, 'bin', 'waybill'));
    return await new Tour(folder, root).run(page);
  } finally {
    await endDaemon(root);
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

/** The package as programs of users see it; Node strips types only outside of node_modules, hence links. */
async function linkPackage(folder: string): Promise<void> {
  const source = join(import.meta.dirname, '..', '..', 'src');
  await mkdir(folder, { recursive: true });
  await symlink(source, join(folder, 'src'));
  const exports = { './client': './src/sdk/client/index.ts' };
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name: 'waybill', type: 'module', exports }));
}

/** Ends the daemon that says in its file that it serves this workspace, and waits until it has. */
async function endDaemon(root: string): Promise<void> {
  const file = join(root, '.waybill', 'daemon.json');
  const daemon = z.object({ pid: z.int() }).safeParse(await readFile(file, 'utf8').then(JSON.parse, () => null));
  if (!daemon.success) return;
  process.kill(daemon.data.pid, 'SIGTERM');
  for (let waited = 0; existsSync(file) && waited < patience; waited += 50) await sleep(50);
}

class Tour {
  readonly #folder: string;
  readonly #root: string;
  /** Ids as the page has them, and those of this time. */
  readonly #ids = new Map<string, string>();
  /** Variables and functions that commands defined. */
  readonly #defined: string[] = [];
  #commands = 0;

  constructor(folder: string, root: string) {
    this.#folder = folder;
    this.#root = root;
  }

  async run(page: string): Promise<{ readonly page: string; readonly commands: number }> {
    let done = '';
    let at = 0;
    for (const block of page.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)) {
      const [whole, language = '', content = ''] = block;
      const now = language === 'console' ? `\`\`\`console\n${await this.#console(content)}\`\`\`` : whole;
      if (language !== 'console') await this.#file(content, page.slice(at, block.index));
      // Prose between the blocks names them too.
      done += this.#renamed(page.slice(at, block.index)) + now;
      at = block.index + whole.length;
    }
    return { page: done + this.#renamed(page.slice(at)), commands: this.#commands };
  }

  async #file(content: string, before: string): Promise<void> {
    const name = /^(?:\/\/|#) (\S+\.\w+)\n/.exec(content)?.[1] ?? /`(\S+\.json)`:\n\n$/.exec(before)?.[1];
    if (name === undefined) return;
    await mkdir(dirname(join(this.#root, name)), { recursive: true });
    await writeFile(join(this.#root, name), content);
  }

  async #console(content: string): Promise<string> {
    let printed = '';
    for (const part of content.split(/^(?=\$ )/m)) {
      const [first = '', ...before] = part.split('\n');
      if (!first.startsWith('$ ')) {
        printed += part;
        continue;
      }
      const command = this.#renamed(first.slice(2));
      const output = await this.#execute(command);
      if (/^(\w+=(\$\(.*\)|\S*)|\w+\(\) \{.*\})$/.test(command)) this.#defined.push(command);
      this.#learn(before.join('\n'), output);
      printed += `$ ${command}\n${output}`;
    }
    return printed;
  }

  async #execute(command: string): Promise<string> {
    this.#commands += 1;
    const identity = { NAME: 'demo', EMAIL: 'demo@localhost' };
    const env = {
      PATH: [join(this.#folder, 'bin'), process.env.PATH].join(delimiter),
      HOME: this.#folder,
      LANG: 'C.UTF-8',
      GIT_AUTHOR_NAME: identity.NAME,
      GIT_AUTHOR_EMAIL: identity.EMAIL,
      GIT_COMMITTER_NAME: identity.NAME,
      GIT_COMMITTER_EMAIL: identity.EMAIL,
    };
    const output = await new Promise<string>((resolve, reject) => {
      const script = `{ ${[...this.#defined, command].join('\n')}\n} 2>&1`;
      execFile('bash', ['-c', script], { cwd: this.#root, env, timeout: patience }, (error, stdout) => {
        if (error?.killed === true) reject(new Error(`took longer than ${patience} ms: ${command}`));
        else resolve(stdout);
      });
    });
    const text = output
      .replaceAll('\r\n', '\n')
      .replaceAll(this.#root, '~/shop')
      .replaceAll(this.#folder, '~')
      .replaceAll(` on ${hostname()}`, ' on laptop')
      // What the shell of these commands says of a killed one, as the shell of a person says it.
      .replaceAll(/^bash: line \d+: +\d+ Killed .*$/gm, 'Killed')
      .trimEnd();
    return text === '' ? '' : `${text.replaceAll(/ +$/gm, '')}\n`;
  }

  /** The ids that are new in an output are those that were new in it when the page was written. */
  #learn(before: string, now: string): void {
    const fresh = (text: string, known: ReadonlySet<string>) => [
      ...new Set([...text.matchAll(namedId)].map(([id]) => id).filter((id) => !known.has(id))),
    ];
    const then = fresh(before, new Set(this.#ids.keys()));
    const ids = fresh(now, new Set(this.#ids.values()));
    for (const [index, id] of ids.entries()) this.#ids.set(then[index] ?? id, id);
  }

  #renamed(text: string): string {
    return text.replaceAll(namedId, (id) => this.#ids.get(id) ?? id);
  }
}
