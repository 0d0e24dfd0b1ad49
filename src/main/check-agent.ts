import { checkAgent as check } from '../executors/agents/check-agent.ts';
import { probeContainment } from '../executors/processes/containment.ts';
import { createProcessPort } from '../executors/processes/process-port.ts';
import { systemClock } from '../platform/clock/clock.ts';
import type { Tools } from '../surfaces/cli/program.ts';

/** Checks an agent in real processes, without a workspace. */
export const checkAgent: Tools['checkAgent'] = async (command, { signal }) => {
  const processes = createProcessPort(await probeContainment());
  return check(command, { processes, clock: systemClock, environment: process.env }, { signal });
};
