import { z } from 'zod';
import { idShapes } from '../ids.ts';
import { jsonValueSchema } from '../json-value.ts';
import { cursorParameter, limitParameter, nextCursor, repoKey, repoParams } from './packages.ts';
import { detailed, route } from './route.ts';

const time = z.iso.datetime();
const pattern = z
  .string()
  .min(1)
  .max(512)
  .describe('`*` stands for any characters, `?` for one; the whole has to match.');

/** What each kind of rule is told; a kind looks at one thing, and says of a version whether it is hit. */
export const ruleParameters = {
  name: z.strictObject({ pattern: pattern.describe('Over `type:name`, as `npm:@evil/*`.') }).describe('By its name.'),
  digest: z
    .strictObject({ digests: z.array(z.string().regex(idShapes.digest, 'must be sha256:<64 hex>')).min(1).max(1000) })
    .describe('By what is in it: the digest of the version, of its manifest or of any of its entries is listed.'),
  size: z
    .strictObject({
      bytes: z.int().min(0).describe('More than this is hit.'),
      of: z.enum(['entry', 'version']).describe('Any one entry, or all of them together.'),
    })
    .describe('By how large it is.'),
  unattested: z.strictObject({}).describe('When it has no signed attestation.'),
  'no-run': z.strictObject({}).describe('When it was not made by a run.'),
  dirty: z
    .strictObject({})
    .describe('When its run began in a checkout with changes that were not committed, or when that is not known.'),
  'media-type': z
    .strictObject({ patterns: z.array(pattern).min(1).max(100) })
    .describe(
      'By the media types of its entries and its manifest; an entry without one counts as `application/octet-stream`.',
    ),
} as const;
export type RuleKindName = keyof typeof ruleParameters;

export const ruleKindNames = [
  'name',
  'digest',
  'size',
  'unattested',
  'no-run',
  'dirty',
  'media-type',
] as const satisfies readonly RuleKindName[];

export const ruleBlocks = ['publish', 'download', 'both'] as const;
const blocks = z
  .enum(ruleBlocks)
  .describe(
    'What it keeps the versions it hits from. One that blocks downloads quarantines what is published already.',
  );
const reason = z.string().min(1).max(2000).describe('For whoever is refused, and for the record.');
const about = { blocks, reason };

export const newRuleSchema = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('name'), parameters: ruleParameters.name, ...about }),
    z.strictObject({ kind: z.literal('digest'), parameters: ruleParameters.digest, ...about }),
    z.strictObject({ kind: z.literal('size'), parameters: ruleParameters.size, ...about }),
    z.strictObject({ kind: z.literal('unattested'), parameters: ruleParameters.unattested.prefault({}), ...about }),
    z.strictObject({ kind: z.literal('no-run'), parameters: ruleParameters['no-run'].prefault({}), ...about }),
    z.strictObject({ kind: z.literal('dirty'), parameters: ruleParameters.dirty.prefault({}), ...about }),
    z.strictObject({ kind: z.literal('media-type'), parameters: ruleParameters['media-type'], ...about }),
  ])
  .describe('A rule to be made. It decides by what a version is, never by who asks.')
  .meta({
    examples: [{ kind: 'name', parameters: { pattern: 'npm:left-pad*' }, blocks: 'both', reason: 'withdrawn' }],
  });
export type NewRule = z.output<typeof newRuleSchema>;

const ruleId = z.string().regex(idShapes.policyRule, 'must be the id of a rule').describe('As making it answered.');

export const ruleSchema = z
  .strictObject({
    ruleId,
    repo: repoKey.nullable().describe('Where it holds; null is every repo.'),
    kind: z.string().describe('What it looks at. Expect kinds you do not know.'),
    parameters: z.record(z.string(), jsonValueSchema),
    blocks,
    reason: z.string(),
    madeAt: time,
    madeBy: z.string(),
    removedAt: time.nullable().describe('Null while it stands.'),
    removedBy: z.string().nullable(),
  })
  .describe('A rule, and whether it still stands.');
export type Rule = z.infer<typeof ruleSchema>;

export const madeRuleSchema = z
  .strictObject({ rule: ruleSchema, quarantined: z.int().min(0).describe('How many published versions it hit.') })
  .describe('A rule that was made.');
export const removedRuleSchema = z
  .strictObject({ rule: ruleSchema, released: z.int().min(0).describe('How many versions it no longer holds back.') })
  .describe('A rule that was removed.');

export const ruleParams = z.strictObject({ repoKey, ruleId });
export const anywhereRuleParams = z.strictObject({ ruleId });
const flag = z.union([z.boolean(), z.enum(['true', 'false']).transform((text) => text === 'true')]);
export const listRulesQuery = z.strictObject({
  removed: flag.default(false).describe('`true` lists those that were removed too.'),
  limit: limitParameter,
  cursor: cursorParameter,
});
export const ruleListSchema = z
  .strictObject({ rules: z.array(ruleSchema), nextCursor })
  .describe('Rules that hold in the repo, those of every repo among them, oldest first.');

export const quarantinedSchema = z
  .strictObject({
    versionId: z.string().regex(idShapes.version),
    type: z.string(),
    name: z.string(),
    version: z.string(),
    ruleId,
    reason: z.string().describe('Of the rule.'),
    why: z.string().describe('Why the rule hits this version.'),
    since: time,
    releasedAt: time.nullable().describe('Null while it is held back.'),
  })
  .describe('A version that a rule keeps from being downloaded.');
export type Quarantined = z.infer<typeof quarantinedSchema>;
export const listQuarantineQuery = z.strictObject({
  released: flag.default(false).describe('`true` lists what was released too.'),
  limit: limitParameter,
  cursor: cursorParameter,
});
export const quarantineListSchema = z
  .strictObject({ quarantine: z.array(quarantinedSchema), nextCursor })
  .describe('What is held back, oldest first.');

/** A new rule is 201; one that stands already, with the same words, is found again with 200. */
const madeOrStanding = z.object({
  status: z.union([
    z.literal(201).describe('A new rule.'),
    z.literal(200).describe('No new rule: one that says the same stands already.'),
  ]),
  headers: z.looseObject({}),
  body: madeRuleSchema,
});
const structured = { outputStructure: 'detailed', ...detailed } as const;

export const ruleRoutes = {
  make: route('repo.admin')
    .route({
      method: 'POST',
      path: '/v1/repos/{repoKey}/rules',
      operationId: 'makeRule',
      tags: ['Rules'],
      summary: 'Make a rule of a repo',
      ...structured,
    })
    .input(z.object({ params: repoParams, body: newRuleSchema }))
    .output(madeOrStanding),
  list: route('repo.read')
    .route({
      method: 'GET',
      path: '/v1/repos/{repoKey}/rules',
      operationId: 'listRules',
      tags: ['Rules'],
      summary: 'List the rules that hold in a repo',
      ...detailed,
    })
    .input(z.object({ params: repoParams, query: listRulesQuery.prefault({}) }))
    .output(ruleListSchema),
  remove: route('repo.admin', 'policy_rule_not_found')
    .route({
      method: 'DELETE',
      path: '/v1/repos/{repoKey}/rules/{ruleId}',
      operationId: 'removeRule',
      tags: ['Rules'],
      summary: 'Remove a rule, and release what it held back',
      ...detailed,
    })
    .input(z.object({ params: ruleParams }))
    .output(removedRuleSchema),
  makeEverywhere: route('admin')
    .route({
      method: 'POST',
      path: '/v1/rules',
      operationId: 'makeRuleEverywhere',
      tags: ['Rules'],
      summary: 'Make a rule of every repo',
      ...structured,
    })
    .input(z.object({ body: newRuleSchema }))
    .output(madeOrStanding),
  listEverywhere: route('auditor')
    .route({
      method: 'GET',
      path: '/v1/rules',
      operationId: 'listRulesEverywhere',
      tags: ['Rules'],
      summary: 'List the rules of every repo',
      ...detailed,
    })
    .input(z.object({ query: listRulesQuery.prefault({}) }))
    .output(ruleListSchema),
  removeEverywhere: route('admin', 'policy_rule_not_found')
    .route({
      method: 'DELETE',
      path: '/v1/rules/{ruleId}',
      operationId: 'removeRuleEverywhere',
      tags: ['Rules'],
      summary: 'Remove a rule of every repo, and release what it held back',
      ...detailed,
    })
    .input(z.object({ params: anywhereRuleParams }))
    .output(removedRuleSchema),
};

export const quarantineRoutes = {
  list: route('repo.read')
    .route({
      method: 'GET',
      path: '/v1/repos/{repoKey}/quarantine',
      operationId: 'listQuarantine',
      tags: ['Rules'],
      summary: 'List the versions that rules hold back',
      ...detailed,
    })
    .input(z.object({ params: repoParams, query: listQuarantineQuery.prefault({}) }))
    .output(quarantineListSchema),
};
