import { WaybillError } from '../../../contract/errors.ts';
import { Broken } from '../../runs/evidence/broken-link.ts';
import { readBytes } from '../../runs/evidence/read-text.ts';
import { bundleRelease } from './bundle-release.ts';
import { BrokenRelease, releaseBroken } from './release-link.ts';
import { brokenRelease, type ReleaseVerification, type VerifyWith, verifyRelease } from './verify-release.ts';

/** Verifies a release bundle, offline, on any machine. @throws WaybillError `file_read_failed` */
export async function verifyReleaseBundle(file: string, how: VerifyWith): Promise<ReleaseVerification> {
  const bytes = await readBytes(file);
  try {
    return await verifyRelease(bundleRelease(bytes), how);
  } catch (error) {
    // It could not even be opened.
    if (error instanceof BrokenRelease) return brokenRelease(file, error);
    if (error instanceof Broken) return brokenRelease(file, releaseBroken(error));
    // JSON that no export writes, as half of a surrogate pair in a name: it has no digest at all.
    if (error instanceof WaybillError && error.code === 'not_canonical') {
      return brokenRelease(file, new BrokenRelease('package', 'the bundle', 'canonical JSON', error.message));
    }
    throw error;
  }
}
