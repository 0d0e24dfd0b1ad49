// Three agents: programs of this repository that speak waybill.agent.v1 over standard input and output. Yours can be
// any program that does. `process.execPath` is the Node that runs Waybill, which reads TypeScript as it is.
import { defineConfig } from 'waybill';

const agent = (file: string) => ({ command: [process.execPath, `agents/${file}`], deadlineMs: 60_000 });

export default defineConfig({
  agents: {
    builder: agent('builder.ts'),
    reviewer: agent('reviewer.ts'),
    specMaintainer: agent('spec-maintainer.ts'),
  },
  maxIterations: 3,
});
