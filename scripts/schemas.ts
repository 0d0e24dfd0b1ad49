import { join } from 'node:path';
import { writeSchemas } from './schemas/check-schemas.ts';

// `node scripts/schemas.ts` writes schemas/v1/ from the zod schemas; `npm run check` says when that is due.
await writeSchemas(join(import.meta.dirname, '..', 'schemas', 'v1'));
