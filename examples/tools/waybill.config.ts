// waybill.config.ts
import { defineConfig } from 'waybill';

export default defineConfig({
  tools: {
    // What tools may be given. A tool that asks for more is listed, and cannot be called.
    permissions: ['workspace.read', 'workspace.write'],
    // How many calls of one tool may run at once; beyond that, runs wait in the queue.
    concurrency: { lines: 4 },
  },
});
