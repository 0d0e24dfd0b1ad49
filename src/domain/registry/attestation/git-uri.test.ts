import { expect, test } from 'vitest';
import { gitUri } from './git-uri.ts';

test.each([
  ['https://example.com/owner/repo.git', 'git+https://example.com/owner/repo.git@abc'],
  ['ssh://git@example.com:2222/owner/repo.git', 'git+ssh://git@example.com:2222/owner/repo.git@abc'],
  ['git@example.com:owner/repo.git', 'git+ssh://git@example.com/owner/repo.git@abc'],
  ['example.com:/srv/repo.git', 'git+ssh://example.com/srv/repo.git@abc'],
  ['/srv/git/my repo.git', 'git+file:///srv/git/my%20repo.git@abc'],
  ['../repo.git', 'git+file:../repo.git@abc'],
  [null, 'git+file:my%20tool@abc'],
])('G24 a commit of %s is named %s', (remote, expected) => {
  expect(gitUri({ remote, name: 'my tool' }, 'abc')).toBe(expected);
  expect(() => new URL(expected)).not.toThrow();
});
