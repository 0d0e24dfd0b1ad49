import { readFile } from 'node:fs/promises';
import { createClient } from 'waybill/client';

// A program of somebody else that follows a run: `node watch.js RUN`. It knows nothing of crashes; `follow` goes on where
// it was when the daemon is back.
const token = (await readFile('.waybill/keys/token', 'utf8')).trim();
const client = createClient({ socket: '.waybill/daemon.sock' }, { token });
for await (const { seq, type, data } of client.follow(process.argv[2])) {
  console.log(`${seq} ${type}${type === 'process.output' ? ` ${data.text.trim()}` : ''}`);
}
