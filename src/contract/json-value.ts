import { z } from 'zod';
import type { JsonValue } from './json.ts';

/** Any JSON value: one schema for all, so that a document of shapes can name it once. */
export const jsonValueSchema: z.ZodType<JsonValue> = z.json();
