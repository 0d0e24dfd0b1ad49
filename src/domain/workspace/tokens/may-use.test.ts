import { expect, test } from 'vitest';
import { type RouteRole, repoRoles, routeRoles, workspaceRoles } from '../../../contract/api/role.ts';
import { type MayUse, mayUse, type Rights, readableRepos } from './may-use.ts';

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
const elsewhere = { repo: 'elsewhere', role: 'admin' } as const;

/** Which roles of the workspace a route opens for, beside an admin and, where it reads, an auditor. */
const opens: Readonly<Record<RouteRole, string>> = {
  any: 'runner operator none',
  runner: 'runner operator',
  operator: 'operator',
  auditor: '',
  admin: '',
  'repo.read': '',
  'repo.write': '',
  'repo.publish': '',
  'repo.admin': '',
};
/** Which grants open a route of their repo. */
const opensInRepo: Readonly<Record<string, string>> = {
  'repo.read': 'read write publish admin',
  'repo.write': 'write publish admin',
  'repo.publish': 'publish admin',
  'repo.admin': 'admin',
};

function expected(rights: Rights, asked: RouteRole, method: string): MayUse {
  const { role, repos } = rights;
  const reading = ['GET', 'HEAD'].includes(method);
  if (role === 'admin') return 'yes';
  if (role === 'auditor' && reading) return 'yes';
  const grant = repos.find(({ repo }) => repo === 'local')?.role ?? 'nothing';
  const words = opensInRepo[asked];
  if (words === undefined) {
    // An auditor who has grants too is somebody like all others.
    const as = role === 'auditor' && repos.length > 0 ? 'none' : (role ?? 'none');
    return opens[asked].split(' ').includes(as) ? 'yes' : 'no';
  }
  if (words.split(' ').includes(grant)) return 'yes';
  return grant === 'nothing' && role !== 'auditor' ? 'hidden' : 'no';
}

test('G20 who may use a route, for every role, every grant and every method', () => {
  let looked = 0;
  const counts = { yes: 0, no: 0, hidden: 0 };
  for (const role of [null, ...workspaceRoles]) {
    for (const here of [null, ...repoRoles]) {
      for (const more of [[], [elsewhere]]) {
        const repos = [...more, ...(here === null ? [] : [{ repo: 'local', role: here }])];
        for (const asked of routeRoles) {
          const repo = asked.startsWith('repo.') ? 'local' : null;
          for (const method of methods) {
            const answer = mayUse({ role, repos }, { role: asked, method, repo });
            const what = `${role} with ${JSON.stringify(repos)}: ${method} ${asked}`;
            expect(answer, what).toBe(expected({ role, repos }, asked, method));
            counts[answer]++;
            looked++;
          }
        }
      }
    }
  }
  expect(looked).toBe(5 * 5 * 2 * routeRoles.length * methods.length);
  expect(Object.values(counts).every((count) => count > 100)).toBe(true);
});

test('G20 an auditor changes nothing, and nobody but an admin does what is asked of an admin', () => {
  for (const asked of routeRoles) {
    const repo = asked.startsWith('repo.') ? 'local' : null;
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      expect(mayUse({ role: 'auditor', repos: [] }, { role: asked, method, repo })).toBe('no');
    }
  }
  const repos = [{ repo: 'local', role: 'admin' as const }];
  for (const role of ['runner', 'operator', null] as const) {
    expect(mayUse({ role, repos }, { role: 'admin', method: 'GET', repo: null })).toBe('no');
  }
});

test('G20 the repos somebody may read are those they have a grant in; an auditor and an admin read all', () => {
  const repos = [elsewhere, { repo: 'local', role: 'read' as const }];
  expect(readableRepos({ role: null, repos })).toEqual(new Set(['elsewhere', 'local']));
  expect(readableRepos({ role: 'operator', repos: [] })).toEqual(new Set());
  for (const role of ['auditor', 'admin'] as const) expect(readableRepos({ role, repos: [] })).toBe('all');
});
