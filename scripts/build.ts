import { execFile } from 'node:child_process';
import { cp, glob, mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

// `npm run build`, and `npm pack` before it packs: dist/ gets the JavaScript of what main.ts and the subpath exports
// reach (Node strips no types under node_modules), the types of the subpath exports, and the SQL of the migrations.
// Tests and their fixtures are reached by nothing, so they stay out by themselves.
const root = dirname(import.meta.dirname);
const dist = join(root, 'dist');
const run = promisify(execFile);

await rm(dist, { recursive: true, force: true });
const parts = ['program', 'types'].map((part) =>
  run('tsc', ['-p', `scripts/build/tsconfig.${part}.json`], { cwd: root }),
);
for (const end of await Promise.allSettled(parts)) {
  if (end.status === 'fulfilled') continue;
  console.error(end.reason.stdout || end.reason);
  process.exit(1);
}
let migrations = 0;
for await (const file of glob('**/*.sql', { cwd: join(root, 'src') })) {
  await mkdir(dirname(join(dist, file)), { recursive: true });
  await cp(join(root, 'src', file), join(dist, file));
  migrations += 1;
}
if (migrations === 0) throw new Error('no migration found under src/');
console.log(`dist/ is built, with ${migrations} migrations`);
