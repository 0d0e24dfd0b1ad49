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
    throw error;
  }
}
