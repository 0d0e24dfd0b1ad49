import type { QueueCounts } from '../../domain/runs/queue/queue-counts.ts';
import type { CaptureCounts } from '../../platform/envelopes/capture.ts';
import { durationBounds, type Measurements } from './measurements.ts';

export const metricsMediaType = 'text/plain; version=0.0.4; charset=utf-8';

export interface Measured {
  readonly version: string;
  readonly engine: string;
  readonly queue: QueueCounts;
  /** Runs this process works on now. */
  readonly held: number;
  readonly envelopes: CaptureCounts;
  readonly measurements: Measurements;
  /** Bytes. */
  readonly memory: { readonly rss: number; readonly heapUsed: number };
  /** Microseconds. */
  readonly cpu: { readonly user: number; readonly system: number };
  /** Seconds. */
  readonly uptime: number;
}

type Labels = Readonly<Record<string, string | number>>;
type Sample = readonly [suffix: string, labels: Labels, value: number];

/** What a daemon measures, in the Prometheus text format 0.0.4. */
export function metricsText(measured: Measured): string {
  const { queue, envelopes, measurements, memory, cpu } = measured;
  return [
    family('waybill_build_info', 'gauge', 'Version and store of this daemon.', [
      ['', { version: measured.version, store: measured.engine, node: process.versions.node }, 1],
    ]),
    family(
      'waybill_queue_runs',
      'gauge',
      'Runs on the store that are not finished, by their place in the queue.',
      (['queued', 'running', 'resting', 'parked'] as const).map((place): Sample => ['', { place }, queue[place]]),
    ),
    family('waybill_held_runs', 'gauge', 'Runs this daemon works on.', [['', {}, measured.held]]),
    family('waybill_open_streams', 'gauge', 'Streams of events that are open.', [['', {}, measurements.streams]]),
    family('waybill_http_request_duration_seconds', 'histogram', 'Requests by route and status.', requests(measured)),
    family('waybill_envelopes_total', 'counter', 'Error envelopes by what became of them.', [
      ['', { kept: 'stored' }, envelopes.stored],
      ['', { kept: 'spooled' }, envelopes.spooled],
      ['', { kept: 'lost' }, envelopes.lost],
    ]),
    family('waybill_refusals_unrecorded_total', 'counter', 'Refusals that were counted only, for they were too many.', [
      ['', {}, measurements.unrecorded],
    ]),
    family('process_resident_memory_bytes', 'gauge', 'Resident memory.', [['', {}, memory.rss]]),
    family('nodejs_heap_size_used_bytes', 'gauge', 'Heap in use.', [['', {}, memory.heapUsed]]),
    family('process_cpu_seconds_total', 'counter', 'User and system time.', [
      ['', {}, (cpu.user + cpu.system) / 1_000_000],
    ]),
    family('process_uptime_seconds', 'gauge', 'Time since the process started.', [['', {}, measured.uptime]]),
  ].join('');
}

function requests({ measurements }: Measured): Sample[] {
  return measurements.requests().flatMap(({ route, method, status, count, sum, buckets }) => {
    const labels = { route, method, status };
    let below = 0;
    const steps = durationBounds.map((le, index): Sample => {
      below += buckets[index] ?? 0;
      return ['_bucket', { ...labels, le }, below];
    });
    return [...steps, ['_bucket', { ...labels, le: '+Inf' }, count], ['_sum', labels, sum], ['_count', labels, count]];
  });
}

function family(
  name: string,
  type: 'gauge' | 'counter' | 'histogram',
  help: string,
  samples: readonly Sample[],
): string {
  const lines = samples.map(([suffix, labels, value]) => `${name}${suffix}${labelText(labels)} ${value}`);
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines, ''].join('\n');
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(String(value))}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escaped(text: string): string {
  return text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');
}
