import { ndjsonMediaType, sseMediaType } from '../../../contract/api/events.ts';
import { queueCounts } from '../../../domain/runs/queue/queue-counts.ts';
import type { HttpParts } from '../http-parts.ts';
import { api } from '../request-context.ts';

/** Read from the running program each time, so that it says what is true now. */
export function capabilitiesHandler({ engine, tools, configuration, version }: HttpParts) {
  return api.capabilities.handler(async () => {
    const { concurrency, maxQueue, bodyBytes, heartbeatMs, drainMs } = configuration.daemon;
    const described = await tools.list();
    const { queued, running, parked } = await queueCounts(engine.store);
    return {
      version,
      api: 'v1' as const,
      node: process.versions.node,
      platform: { os: process.platform, arch: process.arch },
      store: { engine: engine.store.engine },
      containment: { ...engine.processes.containment },
      workflows: [...engine.workflows.values()].map(({ name, version: own }) => ({ name, version: own })),
      tools: described.tools.length,
      agents: [...engine.agentSettings.keys()],
      eventFormats: [ndjsonMediaType, sseMediaType],
      limits: { concurrency, maxQueue, bodyBytes, heartbeatMs, drainMs },
      queue: { queued, running, parked },
    };
  });
}
