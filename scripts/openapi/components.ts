import { z } from 'zod';
import { attestationSchema } from '../../src/contract/api/attestations.ts';
import { auditListSchema, auditRecordSchema } from '../../src/contract/api/audit.ts';
import { deletedDraftSchema, draftListSchema, madeDraftSchema, newDraftSchema } from '../../src/contract/api/drafts.ts';
import {
  addEntriesSchema,
  changedEntriesSchema,
  entryListSchema,
  entrySchema,
  newEntrySchema,
  removedEntrySchema,
} from '../../src/contract/api/entries.ts';
import { streamEndSchema } from '../../src/contract/api/events.ts';
import { growingLists } from '../../src/contract/api/growing.ts';
import { manifestAnswerSchema } from '../../src/contract/api/manifests.ts';
import {
  listedVersionSchema,
  packageListSchema,
  packageSchema,
  passedGateSchema,
  quarantineMarkSchema,
  tombstonedSchema,
  tombstoneSchema,
  versionListSchema,
  versionSchema,
  versionStateSchema,
} from '../../src/contract/api/packages.ts';
import {
  madeRuleSchema,
  newRuleSchema,
  quarantinedSchema,
  quarantineListSchema,
  removedRuleSchema,
  ruleListSchema,
  ruleSchema,
} from '../../src/contract/api/policy.ts';
import { issueSchema, problemSchema } from '../../src/contract/api/problem.ts';
import {
  publishedSchema,
  publishedWholeSchema,
  publishSchema,
  wholeVersionSchema,
} from '../../src/contract/api/publish.ts';
import { listedRepoSchema, newRepoSchema, repoListSchema, repoSchema } from '../../src/contract/api/repos.ts';
import {
  answerApprovalSchema,
  cancelRunSchema,
  requestAnswerSchema,
  resumeRunSchema,
  runAnswerSchema,
  runDetailSchema,
  runListSchema,
  runSummarySchema,
  sendSignalSchema,
  stepListSchema,
  stepSchema,
  submitRunSchema,
} from '../../src/contract/api/runs.ts';
import { capabilitiesSchema, healthSchema, readinessSchema } from '../../src/contract/api/system.ts';
import { changedTagSchema, setTagSchema, tagListSchema, tagSchema } from '../../src/contract/api/tags.ts';
import {
  changeRolesSchema,
  madeTokenSchema,
  newTokenSchema,
  tokenListSchema,
  tokenSchema,
} from '../../src/contract/api/tokens.ts';
import { toolDetailSchema, toolListSchema, toolSummarySchema } from '../../src/contract/api/tools.ts';
import { blobSchema, newUploadSchema, uploadSchema } from '../../src/contract/api/uploads.ts';
import {
  deliveryListSchema,
  deliverySchema,
  deliveryStateSchema,
  madeWebhookSchema,
  newWebhookSchema,
  removedWebhookSchema,
  webhookListSchema,
  webhookSchema,
} from '../../src/contract/api/webhooks.ts';
import {
  artifactSchema,
  blobReferenceSchema,
  failureSchema,
  ledgerEventSchema,
  provenanceSchema,
  receiptSchema,
  stepReference,
} from '../../src/contract/evidence.ts';
import type { JsonObject } from '../../src/contract/json.ts';
import { jsonValueSchema } from '../../src/contract/json-value.ts';
import { toolDescriptionSchema } from '../../src/contract/tool.ts';

/** The shapes that have a name in the document. */
const named: ReadonlyMap<z.core.$ZodType, string> = new Map<z.core.$ZodType, string>([
  [addEntriesSchema, 'AddEntries'],
  [answerApprovalSchema, 'AnswerApproval'],
  [artifactSchema, 'Artifact'],
  [attestationSchema, 'Attestation'],
  [auditListSchema, 'AuditList'],
  [auditRecordSchema, 'AuditRecord'],
  [blobReferenceSchema, 'BlobReference'],
  [blobSchema, 'Blob'],
  [cancelRunSchema, 'CancelRun'],
  [capabilitiesSchema, 'Capabilities'],
  [changedEntriesSchema, 'ChangedEntries'],
  [changedTagSchema, 'ChangedTag'],
  [changeRolesSchema, 'ChangeRoles'],
  [deletedDraftSchema, 'DeletedDraft'],
  [deliveryListSchema, 'DeliveryList'],
  [deliverySchema, 'Delivery'],
  [deliveryStateSchema, 'DeliveryState'],
  [draftListSchema, 'DraftList'],
  [entryListSchema, 'EntryList'],
  [entrySchema, 'Entry'],
  [failureSchema, 'Failure'],
  [healthSchema, 'Health'],
  [issueSchema, 'Issue'],
  [jsonValueSchema, 'JsonValue'],
  [ledgerEventSchema, 'LedgerEvent'],
  [listedRepoSchema, 'ListedRepo'],
  [listedVersionSchema, 'ListedVersion'],
  [madeDraftSchema, 'MadeDraft'],
  [madeRuleSchema, 'MadeRule'],
  [madeTokenSchema, 'MadeToken'],
  [madeWebhookSchema, 'MadeWebhook'],
  [manifestAnswerSchema, 'ManifestAnswer'],
  [newDraftSchema, 'NewDraft'],
  [newEntrySchema, 'NewEntry'],
  [newRepoSchema, 'NewRepo'],
  [newRuleSchema, 'NewRule'],
  [newTokenSchema, 'NewToken'],
  [newUploadSchema, 'NewUpload'],
  [newWebhookSchema, 'NewWebhook'],
  [packageListSchema, 'PackageList'],
  [packageSchema, 'Package'],
  [passedGateSchema, 'PassedGate'],
  [problemSchema, 'Problem'],
  [provenanceSchema, 'Provenance'],
  [publishedSchema, 'PublishedVersion'],
  [publishedWholeSchema, 'PublishedWhole'],
  [publishSchema, 'Publish'],
  [quarantinedSchema, 'QuarantinedVersion'],
  [quarantineListSchema, 'Quarantine'],
  [quarantineMarkSchema, 'QuarantineMark'],
  [readinessSchema, 'Readiness'],
  [receiptSchema, 'Receipt'],
  [removedEntrySchema, 'RemovedEntry'],
  [removedRuleSchema, 'RemovedRule'],
  [removedWebhookSchema, 'RemovedWebhook'],
  [repoListSchema, 'RepoList'],
  [repoSchema, 'Repo'],
  [requestAnswerSchema, 'RequestAnswer'],
  [resumeRunSchema, 'ResumeRun'],
  [ruleListSchema, 'RuleList'],
  [ruleSchema, 'Rule'],
  [runAnswerSchema, 'RunAnswer'],
  [runDetailSchema, 'Run'],
  [runListSchema, 'RunList'],
  [runSummarySchema, 'RunSummary'],
  [sendSignalSchema, 'SendSignal'],
  [setTagSchema, 'SetTag'],
  [stepListSchema, 'StepList'],
  [stepReference, 'StepReference'],
  [stepSchema, 'Step'],
  [streamEndSchema, 'StreamEnd'],
  [submitRunSchema, 'SubmitRun'],
  [tagListSchema, 'TagList'],
  [tagSchema, 'Tag'],
  [tokenListSchema, 'TokenList'],
  [tokenSchema, 'Token'],
  [tombstonedSchema, 'TombstonedVersion'],
  [tombstoneSchema, 'Tombstone'],
  [toolDescriptionSchema, 'ToolDescription'],
  [toolDetailSchema, 'Tool'],
  [toolListSchema, 'ToolList'],
  [toolSummarySchema, 'ToolSummary'],
  [uploadSchema, 'Upload'],
  [versionListSchema, 'VersionList'],
  [versionSchema, 'Version'],
  [versionStateSchema, 'VersionState'],
  [webhookListSchema, 'WebhookList'],
  [webhookSchema, 'Webhook'],
  [wholeVersionSchema, 'WholeVersion'],
]);

/** Says which list of names may grow without breaking anybody. */
export const growingMark = 'x-waybill-growing';

/** What schemas say of themselves (`.describe`, `.meta`), and the names from above as ids. */
class Names extends z.core.$ZodRegistry<z.core.GlobalMeta> {
  override get<S extends z.core.$ZodType>(schema: S): z.core.$replace<z.core.GlobalMeta, S> | undefined {
    const own = z.globalRegistry.get(schema);
    const id = named.get(schema);
    return id === undefined ? own : { ...own, id };
  }
}

/** The named schemas that were met while a document was made. */
export class Components {
  readonly #schemas = new Map<string, JsonObject>();
  /** What was made before: the shape of a problem stands in every route a dozen times. */
  readonly #made = { input: new Map<z.ZodType, JsonObject>(), output: new Map<z.ZodType, JsonObject>() };

  /**
   * The JSON Schema of a part of a request (`input`) or an answer (`output`), with references to named ones.
   * @throws Error for a shape that refers to itself and has no name, or that differs between request and answer
   */
  schemaOf(schema: z.ZodType, io: 'input' | 'output'): JsonObject {
    const made = this.#made[io].get(schema) ?? this.#make(schema, io);
    this.#made[io].set(schema, made);
    return made;
  }

  #make(schema: z.ZodType, io: 'input' | 'output'): JsonObject {
    // Wrapped, so that a named schema is a reference here too.
    const { properties, $defs = {} } = z.toJSONSchema(z.object({ root: schema }), {
      target: 'draft-2020-12',
      io,
      metadata: new Names(),
      override: (context) => tidy(context, io),
    });
    for (const [name, definition] of Object.entries($defs)) {
      if (name.startsWith('__')) throw new Error('a schema refers to itself and has no name in components.ts');
      const { id: _, ...rest } = plain(definition);
      const before = this.#schemas.get(name);
      if (before !== undefined && JSON.stringify(before) !== JSON.stringify(rest)) {
        throw new Error(`${name} is one shape in a request and another in an answer: give it two schemas`);
      }
      this.#schemas.set(name, rest);
    }
    return plain(properties?.root);
  }

  /** All of them, by name. */
  all(): JsonObject {
    return Object.fromEntries([...this.#schemas].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}

/** Leaves out what only zod needs to hear, and what would forbid an answer to ever have another field. */
function tidy({ zodSchema, jsonSchema }: OverrideContext, io: 'input' | 'output'): void {
  if (io === 'output' && jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
  if (jsonSchema.format === 'date-time') delete jsonSchema.pattern;
  if (JSON.stringify(jsonSchema.propertyNames) === '{"type":"string"}') delete jsonSchema.propertyNames;
  if (growingLists.has(zodSchema)) jsonSchema[growingMark] = true;
}

interface OverrideContext {
  readonly zodSchema: z.core.$ZodType;
  readonly jsonSchema: z.core.JSONSchema.BaseSchema;
}

const record: z.ZodType<JsonObject> = z.record(z.string(), jsonValueSchema);

/** The same as plain data, with references to where the document keeps named schemas. */
function plain(schema: unknown): JsonObject {
  return record.parse(JSON.parse(JSON.stringify(schema).replaceAll('"#/$defs/', '"#/components/schemas/')));
}
