import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../../test/support/both-stores.ts';
import { problemSchema } from '../../contract/api/problem.ts';
import { publishVersion } from '../../domain/registry/publish/publish-version.ts';
import { arrangeDraft } from '../../domain/registry/testing/arrange-draft.ts';
import { openTestServer } from './testing/open-test-server.ts';

afterAll(dropDatabases);

describe.each(bothStores)('a NUL in a request on %s', (_, where) => {
  test('G14 is refused where it stands, and never reaches the database', async () => {
    await using server = await openTestServer(await where());
    await publishVersion(server.parts.registry, await arrangeDraft(server.parts.registry, { name: 'tool' }), 'test');
    const packages = '/v1/repos/local/packages';
    const asked: readonly (readonly [string, string, string, object?])[] = [
      ['GET', `${packages}/generic/a%00b`, 'params.name'],
      ['GET', `${packages}/generic/tool/versions/1%000`, 'params.version'],
      ['GET', `${packages}/generic/tool/versions/1.0.0/files/a%00`, 'params.path'],
      ['DELETE', `${packages}/versions/ver_0123456789abcdef/entries/%00`, 'params.path'],
      ['GET', `${packages}?prefix=a%00b`, 'query.prefix'],
      ['GET', `${packages}/versions/drafts?limit=1&name=%00`, 'query.name'],
      ['GET', '/v1/audit?actor=%00', 'query.actor'],
      ['GET', '/v1/runs?workflow=%00', 'query.workflow'],
      ['DELETE', '/v1/tokens/%00', 'params.tokenId'],
      ['PUT', `${packages}/generic/tool/tags/stable`, 'body.version', { version: '1\0' }],
    ];
    for (const [method, path, at, body] of asked) {
      const answer = await server.ask(method, path, { as: 'admin', ...(body === undefined ? {} : { body }) });
      expect(answer.status, `${method} ${path}: ${answer.text}`).toBe(400);
      expect(problemSchema.parse(answer.json).issues?.map((issue) => issue.path)).toEqual([at]);
    }
    const written = await server.ask('GET', `${packages}/generic/a%2500b`, { as: 'admin' });
    expect(written.status).toBe(404);
  });
});
