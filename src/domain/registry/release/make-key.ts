import { auditStatement } from '../../../platform/journal/audit.ts';
import type { PublicKey } from '../../../platform/signatures/public-key.ts';
import { recordingRefusal } from '../recording-refusal.ts';
import type { Releases } from './releases.ts';

/**
 * Makes the key pair releases are signed with. What was signed with an old key can still be verified: `verify --key`.
 * @throws WaybillError `signing_key_exists`, `file_write_failed`
 */
export async function makeSigningKey({ registry, signing }: Releases, by: string): Promise<PublicKey> {
  const { store, clock } = registry;
  const act = { action: 'signing.key.made', resource: signing.publicKeyPath } as const;
  return await recordingRefusal(registry, { ...act, by }, async () => {
    const key = await signing.make();
    const { keyId } = key;
    const record = { at: clock.now(), actor: by, ...act, outcome: 'succeeded', details: { keyId } } as const;
    await store.submit({ statements: [auditStatement([record])] });
    store.hints.announce('audit');
    return key;
  });
}
