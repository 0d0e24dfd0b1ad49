import { z } from 'zod';
import {
  commandSchema,
  eventSchema,
  heartbeatSchema,
  helloSchema,
  logSchema,
} from '../../src/contract/agent-protocol.ts';
import {
  bundleSchema,
  ledgerEventSchema,
  receiptSchema,
  runStateSchema,
  snapshotManifestSchema,
} from '../../src/contract/evidence.ts';
import { releaseBundleSchema } from '../../src/contract/release-bundle.ts';
import { releaseManifestSchema } from '../../src/contract/release-manifest.ts';
import { taskFrontMatterSchema } from '../../src/contract/task.ts';
import { mockScriptSchema } from '../../src/sdk/testing/mock-script.ts';

export interface PublishedSchema {
  readonly title: string;
  readonly source: z.ZodType;
}

/** The schemas we ship, by the name of their file: `schemas/v1/<name>.v1.json`. */
export const published: Readonly<Record<string, PublishedSchema>> = {
  command: { title: 'A line from Waybill to an agent: do this work.', source: commandSchema },
  event: {
    title: 'An event: what an agent says about its command, or a line of a ledger.',
    source: z.union([eventSchema, ledgerEventSchema]),
  },
  heartbeat: { title: 'A line from an agent: still alive.', source: heartbeatSchema },
  log: { title: 'A line from an agent: for people to read.', source: logSchema },
  hello: { title: "An agent's first line: who it is and what it can do.", source: helloSchema },
  receipt: { title: 'The immutable record of a finished step.', source: receiptSchema },
  'run-state': { title: 'run.json, and what waybill show --json prints.', source: runStateSchema },
  'snapshot-manifest': { title: 'snapshot.json: the files a run began with.', source: snapshotManifestSchema },
  bundle: { title: 'A self-contained copy of a run, to verify and import anywhere.', source: bundleSchema },
  'release-manifest': {
    title: 'The manifest of a version that a run made: which run, commit, ledger and files.',
    source: releaseManifestSchema,
  },
  'release-bundle': { title: 'A self-contained copy of a release, to verify anywhere.', source: releaseBundleSchema },
  task: { title: 'The front matter of waybill.tasks/<id>.md.', source: taskFrontMatterSchema },
  'mock-script': { title: 'What a mock agent does: waybill mock-agent --script FILE.', source: mockScriptSchema },
};

/** The JSON Schema (2020-12) of one published schema, exactly as it is committed. */
export function renderSchema(name: string, { title, source }: PublishedSchema): string {
  const { $schema, ...rest } = z.toJSONSchema(source, {
    target: 'draft-2020-12',
    io: 'input',
    override: ({ jsonSchema }) => {
      // zod leaves a tuple's least length out, and without it an empty list would pass.
      if (jsonSchema.prefixItems !== undefined) jsonSchema.minItems ??= jsonSchema.prefixItems.length;
    },
  });
  return `${JSON.stringify({ $schema, $id: `urn:waybill:schema:${name}.v1`, title, ...rest }, null, 2)}\n`;
}
