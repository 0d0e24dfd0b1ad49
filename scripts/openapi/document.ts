import type { JsonObject } from '../../src/contract/json.ts';
import { Components } from './components.ts';
import { operationOf } from './operation.ts';
import { allRoutes } from './routes.ts';

const about = `Waybill runs agents and build jobs so that nothing is lost and everything can be proven.
Errors are RFC 9457 problems with a stable \`code\`; times are RFC 3339, UTC; lists have cursors. In answers, expect
fields you do not know. How all of it works, with examples: docs/api.md.`;

const tags = [
  { name: 'Runs', description: 'Durable executions of tools and workflows: submit, follow, steer.' },
  { name: 'Tools', description: 'What the workspace offers to run.' },
  { name: 'Repos', description: 'Where packages are kept; who may do what is said of each.' },
  { name: 'Blobs', description: 'Bytes by their digest: uploads in one piece or in parts, downloads by range.' },
  { name: 'Drafts', description: 'Versions in the making: their files and their manifest.' },
  { name: 'Versions', description: 'Publish, download, withdraw; what is published never changes.' },
  { name: 'Packages', description: 'What there is, by name.' },
  { name: 'Tags', description: 'Names that move from version to version.' },
  { name: 'Rules', description: 'What may not be published or downloaded, and what is held back.' },
  { name: 'Audit', description: 'Who did what to what, and how it ended.' },
  { name: 'Webhooks', description: 'Others who are told of what leaves the workspace, signed.' },
  { name: 'Tokens', description: 'Who may do what.' },
  { name: 'System', description: 'How the daemon itself is.' },
];

/** The OpenAPI 3.1 document of all routes: those of the contract and the plain ones. */
export function openApiDocument(): JsonObject {
  const components = new Components();
  const paths = new Map<string, JsonObject>();
  for (const route of allRoutes()) {
    const method = route.method.toLowerCase();
    const others = paths.get(route.path) ?? {};
    if (others[method] !== undefined) throw new Error(`${route.method} ${route.path} is declared twice`);
    paths.set(route.path, { ...others, [method]: operationOf(route, components) });
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Waybill',
      version: 'v1',
      description: about,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/', description: 'The daemon this document comes from.' }],
    security: [{ token: [] }],
    tags,
    paths: Object.fromEntries(paths),
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'A token: `waybill serve` says where the first one is.' },
      },
      schemas: components.all(),
    },
  };
}

/** The document exactly as it is committed. */
export function renderDocument(document: JsonObject): string {
  return `${JSON.stringify(document, null, 2)}\n`;
}
