// A release as a workflow of one's own: checks at the same time, one build a package, a decision by rule, a person's
// approval, and the publish. Kill it anywhere: `waybill resume RUN` goes on, and nothing that is done is done again.
//
//   cp -r examples/release /tmp/release && cd /tmp/release && git init && waybill init
//   waybill run --workflow release --input '{"packages": ["core", "web"]}'
//
// What its steps named as `expectedOutputs` can be released, once it has succeeded:
//
//   waybill keys init && waybill publish RUN --package shop --version 1.0.0 && waybill verify shop@1.0.0
import { type DecisionEngine, defineConfig, defineWorkflow, WaybillError, z } from 'waybill';

const changes = ['fix', 'feature', 'breaking'] as const;

/** Which number of the version goes up. A pure function with a version: its answer is recorded, and can be asked again. */
const versionRule: DecisionEngine<{ changes: string[] }, string> = {
  name: 'version-rule',
  version: '1',
  decide: ({ changes }) => (changes.includes('breaking') ? 'major' : changes.includes('feature') ? 'minor' : 'patch'),
};

const release = defineWorkflow(
  'release',
  { input: z.strictObject({ packages: z.array(z.string().regex(/^[a-z]+$/)).min(1) }) },
  async (run, { packages }) => {
    // Both at once; which one ends first changes no key.
    await Promise.all([
      run.exec(['node', 'scripts/check.mjs', 'licenses'], { name: 'licenses' }),
      run.exec(['node', 'scripts/check.mjs', 'links'], { name: 'links' }),
    ]);

    // A scope for each package: its steps are called `each:core/build`, `each:web/build`.
    const built = await run.each(packages, { key: (name) => name, concurrency: 2 }, async (name, each) => {
      const { stdout, artifacts } = await each.exec(['node', 'scripts/build.mjs', name], {
        name: 'build',
        expectedOutputs: [`dist/${name}.json`],
        retry: { retries: 2, backoffMs: 100 },
      });
      const change = z.enum(changes).parse(stdout.trim());
      return { name, change, digest: artifacts[0]?.digest ?? '' };
    });

    const bump = await run.decide(versionRule, { changes: built.map(({ change }) => change) });

    // Nothing runs while a person thinks: the run rests without a process, and waits across restarts.
    const { approved, actor, comment } = await run.approval('publish', {
      prompt: `Publish ${packages.join(', ')} as a ${bump} release?`,
      data: { built },
    });
    if (!approved) throw new WaybillError('approval_denied', comment ?? `${actor} does not want it`);

    await run.exec(['node', 'scripts/publish.mjs', bump], { name: 'publish', expectedOutputs: ['dist/released.json'] });
    return { bump, approvedBy: actor, built };
  },
);

export default defineConfig({ workflows: [release] });
