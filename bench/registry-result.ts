import { z } from 'zod';
import { median } from './engine-result.ts';

const rate = z.number().positive();
const transferSchema = z.object({ up: rate, down: rate, peak: rate });
/** What a registry's program prints; see `peers/measure-registry.d.mts` for the units. */
export const registryResultSchema = z.object({
  publishes: z
    .object({
      published: z.int().min(1),
      freshPerSecond: rate,
      versionsPerSecond: rate,
      cpuMs: rate,
      ones: z.int().min(1),
      p50: rate,
      p99: rate,
    })
    .optional(),
  transfers: z.object({ before: rate, after: rate, alone: transferSchema, many: transferSchema.optional() }).optional(),
  version: z.string(),
  settings: z.string(),
});
export type RegistryResult = z.infer<typeof registryResultSchema>;

export interface NamedRegistry extends RegistryResult {
  readonly name: string;
}

/** The median of each number over the rounds, and of memory the most that was seen. */
export function medianOfRegistries(rounds: readonly RegistryResult[]): RegistryResult {
  const [first] = rounds;
  if (first === undefined) throw new Error('no round was measured');
  const publishes = rounds.flatMap((round) => round.publishes ?? []);
  const transfers = rounds.flatMap((round) => round.transfers ?? []);
  const many = transfers.flatMap((transfer) => transfer.many ?? []);
  return {
    version: first.version,
    settings: first.settings,
    ...(first.publishes === undefined
      ? {}
      : {
          publishes: {
            ...first.publishes,
            freshPerSecond: median(publishes.map((one) => one.freshPerSecond)),
            versionsPerSecond: median(publishes.map((one) => one.versionsPerSecond)),
            cpuMs: median(publishes.map((one) => one.cpuMs)),
            p50: median(publishes.map((one) => one.p50)),
            p99: median(publishes.map((one) => one.p99)),
          },
        }),
    ...(first.transfers === undefined
      ? {}
      : {
          transfers: {
            before: median(transfers.map((one) => one.before)),
            after: median(transfers.map((one) => one.after)),
            alone: medianOfTransfers(transfers.map((one) => one.alone)),
            ...(first.transfers.many === undefined ? {} : { many: medianOfTransfers(many) }),
          },
        }),
  };
}

function medianOfTransfers(rounds: readonly z.infer<typeof transferSchema>[]) {
  return {
    up: median(rounds.map((one) => one.up)),
    down: median(rounds.map((one) => one.down)),
    peak: Math.max(...rounds.map((one) => one.peak)),
  };
}
