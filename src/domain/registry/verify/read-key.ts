import { type PublicKey, parsePublicKey } from '../../../platform/signatures/public-key.ts';
import { readBytes } from '../../runs/evidence/read-text.ts';

/** The public key in a file, in PEM. @throws WaybillError `file_read_failed`, `signing_key_invalid` */
export async function readKey(path: string): Promise<PublicKey> {
  return parsePublicKey((await readBytes(path)).toString('utf8'), path);
}
