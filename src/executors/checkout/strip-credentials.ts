/**
 * The address of a remote without the secrets people put into it: user name and password of a URL, of the form
 * `user:password@host:path`, and all of its query. `git@host:path` keeps its `git`, which is no secret and is needed to use it.
 */
export function stripCredentials(remote: string): string {
  const url = /^([a-z][a-z0-9+.-]*(?:::[a-z][a-z0-9+.-]*)?:\/\/)([^/?#]*)([^?#]*)/i.exec(remote);
  if (url !== null) {
    const [, scheme = '', authority = '', path = ''] = url;
    const host = authority.slice(authority.lastIndexOf('@') + 1);
    return `${scheme}${host}${path}`;
  }
  const at = remote.lastIndexOf('@');
  if (at < 0) return remote;
  const user = remote.slice(0, at);
  return user.includes(':') || user.includes('/') || user.length > 32 ? remote.slice(at + 1) : remote;
}

/** The name of the repository in its remote's address: the last part, without `.git`. */
export function nameIn(remote: string): string | undefined {
  const name = remote
    .replace(/\/+$/, '')
    .split(/[/:]/)
    .at(-1)
    ?.replace(/\.git$/, '');
  return name === '' ? undefined : name;
}
