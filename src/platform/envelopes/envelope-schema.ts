import { z } from 'zod';
import { WaybillError } from '../../contract/errors.ts';
import { idShapes } from '../../contract/ids.ts';
import type { JsonObject } from '../../contract/json.ts';
import { deepFreeze, type ErrorEnvelope, envelopeSchemaVersion } from './envelope.ts';
import { errorClasses, layers, mayEmit, severities } from './error-class.ts';

const short = z.string().max(256);
const json: z.ZodType<JsonObject> = z.record(z.string(), z.json());

export const errorEnvelopeSchema = z
  .strictObject({
    schemaVersion: z.literal(envelopeSchemaVersion),
    errorId: z.string().regex(idShapes.envelope),
    workspaceId: short.min(1),
    timestamp: z.int().nonnegative(),
    layer: z.enum(layers),
    component: short.min(1),
    errorClass: z.enum(errorClasses),
    severity: z.enum(severities),
    message: z.string().max(1000),
    correlationId: z.string().regex(idShapes.traceId),
    spanId: z.string().regex(idShapes.spanId),
    parentSpanId: z.string().regex(idShapes.spanId).nullable(),
    decisionId: short.nullable(),
    runId: short.nullable(),
    step: short.nullable(),
    agentId: short.nullable(),
    actor: short.nullable(),
    inputHash: z
      .string()
      .regex(/^hmac-sha256:[0-9a-f]{64}$/)
      .nullable(),
    exceptionType: short.nullable(),
    exceptionChain: z
      .array(
        z.strictObject({
          relation: z.enum(['cause', 'aggregate', 'suppressed']),
          type: short,
          message: z.string().max(200),
        }),
      )
      .max(5),
    context: json,
    fingerprint: z.string().regex(/^[0-9a-f]{32}$/),
    fingerprintVersion: z.int().positive(),
    release: short,
    synthetic: z.boolean(),
  })
  .refine((envelope) => mayEmit(envelope.layer, envelope.errorClass), {
    path: ['errorClass'],
    message: 'is not for this layer to emit',
  });

const versioned = z.looseObject({ schemaVersion: z.int().positive() });

/** Turns an envelope of one version into the next; index 0 leads from version 1 to 2. */
export type Upgrade = (older: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>;
const upgrades: readonly Upgrade[] = [];

/**
 * Reads an envelope from a file or a row, whatever version wrote it, and freezes it.
 * @throws WaybillError `envelope_newer_schema` when a newer Waybill wrote it, `envelope_invalid` naming each problem
 */
export function parseEnvelope(value: unknown): ErrorEnvelope {
  const { schemaVersion } = check(versioned, value);
  if (schemaVersion > envelopeSchemaVersion) {
    throw new WaybillError(
      'envelope_newer_schema',
      `this envelope has schema ${schemaVersion}, and this Waybill reads up to ${envelopeSchemaVersion}`,
      { hint: 'Use the Waybill that wrote it, or a newer one.', details: { schemaVersion } },
    );
  }
  return deepFreeze(check(errorEnvelopeSchema, upgrade(check(versioned, value), upgrades)));
}

/** Applies the steps from the version of `envelope` on, one after the other. */
export function upgrade(
  envelope: { readonly schemaVersion: number; readonly [field: string]: unknown },
  steps: readonly Upgrade[],
): Readonly<Record<string, unknown>> {
  const from = envelope.schemaVersion;
  return steps.slice(from - 1).reduce<Readonly<Record<string, unknown>>>((older, step, index) => {
    return { ...step(older), schemaVersion: from + index + 1 };
  }, envelope);
}

function check<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => `${issue.path.join('.') || 'the whole'}: ${issue.message}`);
  throw new WaybillError('envelope_invalid', `not an error envelope: ${problems.slice(0, 5).join('; ')}`, {
    hint: 'It was changed outside Waybill, or cut off while it was written.',
  });
}
