/** What the records of a checkout say of where it comes from. */
export interface CheckoutOrigin {
  readonly remote: string | null;
  readonly name: string | null;
}

/**
 * A commit as a URI, in the form SPDX gives to download locations: `git+https://host/owner/repo.git@<commit>`. An address
 * as ssh writes it (`git@host:owner/repo.git`) becomes `git+ssh://git@host/owner/repo.git`; a checkout without a remote
 * is `git+file:<name>`, which says whose commit it is and not where it lies.
 */
export function gitUri({ remote, name }: CheckoutOrigin, commit: string): string {
  return `git+${addressOf(remote, name)}@${commit}`;
}

function addressOf(remote: string | null, name: string | null): string {
  if (remote === null) return `file:${encodeURIComponent(name ?? 'unknown')}`;
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(remote)) return encodeURI(remote);
  const [, host, path] = /^((?:[^/@:]+@)?[^/:]+):(?!\/\/)(.+)$/.exec(remote) ?? [];
  if (host !== undefined && path !== undefined) return `ssh://${host}/${encodeURI(path.replace(/^\/+/, ''))}`;
  return remote.startsWith('/') ? `file://${encodeURI(remote)}` : `file:${encodeURI(remote)}`;
}
