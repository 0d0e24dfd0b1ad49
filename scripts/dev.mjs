#!/usr/bin/env node
// Every npm script starts here: `node scripts/dev.mjs COMMAND [ARGS]`. Plain JavaScript that Node 18 can run, because
// on a fresh machine it is the first thing that runs: it installs what the lockfile says when that has not been done,
// finds the Node the checkout brings (package `node`), puts it first on PATH and runs the command with it.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = join(root, 'node_modules', '.bin');
const needed = 24;

/** What each npm script runs, with the checkout's Node. `run FILE` starts any TypeScript file. */
const commands = {
  test: ['vitest', 'run'],
  'test:crash': ['vitest', 'run', '--testTimeout=1800000'],
  check: ['node', 'scripts/check.ts'],
  demo: ['node', 'demo/demo.ts'],
  'demo:registry': ['node', 'demo/registry.ts'],
  bench: ['node', 'bench/run.ts'],
  build: ['node', 'scripts/build.ts'],
  run: ['node'],
};

function stop(message) {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

/**
 * True when node_modules is what the lockfile says. npm writes node_modules/.package-lock.json as the last act of an
 * install, so it serves as the stamp: an interrupted install has none, a later edit of the lockfile differs.
 */
function isInstalled() {
  const wanted = readJson(join(root, 'package-lock.json'))?.packages;
  const found = readJson(join(root, 'node_modules', '.package-lock.json'))?.packages;
  if (wanted === undefined)
    stop('package-lock.json is missing or not JSON: restore it with "git checkout package-lock.json".');
  if (found === undefined) return false;
  return Object.entries(wanted).every(([path, entry]) => {
    const there = found[path];
    if (path === '' || (there === undefined && (entry.optional || entry.devOptional))) return true;
    return there !== undefined && there.version === entry.version && there.integrity === entry.integrity;
  });
}

/** PATH without the checkout's own folder: npm ci deletes that, so npm must not run with the Node inside it. */
function outerPath() {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => folder !== bin)
    .join(delimiter);
}

function install() {
  process.stderr.write('waybill: installing what package-lock.json says (npm ci) ...\n');
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];
  const result = spawnSync('npm', args, {
    cwd: root,
    stdio: ['ignore', 2, 2],
    env: { ...process.env, PATH: outerPath() },
  });
  if (result.status !== 0)
    stop(
      `waybill: npm ci failed (${result.error?.message ?? `exit ${result.status}`}). What npm says is above; then try again.`,
    );
}

function checkNode() {
  const own = join(bin, 'node');
  const node = existsSync(own) ? own : 'node';
  const asked = spawnSync(node, ['--version'], { encoding: 'utf8', env: { ...process.env, PATH: outerPath() } });
  const version = (asked.stdout ?? '').trim();
  if (Number.parseInt(version.slice(1), 10) >= needed) return;
  stop(`waybill: Node ${needed} or newer is needed, and ${node === own ? 'the one in this checkout' : 'the one on PATH'} is ${version || 'not runnable'}.
  The package "node" brings it, through an install script. If scripts are off (--ignore-scripts), run
      npm rebuild node --ignore-scripts=false
  or put a Node ${needed} on PATH, then try again.`);
}

/** Runs the command with the same streams and the same end. A terminal sends Ctrl-C to both, so SIGINT is not handed on. */
function run(name, args) {
  const [program, ...first] = commands[name];
  const env = { ...process.env, PATH: `${bin}${delimiter}${outerPath()}` };
  if (name === 'test:crash') env.WAYBILL_TEST_FULL = '1';
  const child = spawn(program, [...first, ...args], { cwd: root, stdio: 'inherit', env });
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => stop(`waybill: cannot start ${program}: ${error.message}`));
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
}

const [name, ...args] = process.argv.slice(2);
if (name === undefined || !Object.hasOwn(commands, name))
  stop(`usage: node scripts/dev.mjs ${Object.keys(commands).join('|')} [ARGS]`);
if (!isInstalled()) install();
checkNode();
run(name, args);
