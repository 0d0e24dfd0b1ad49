import { ms, times, whole } from './render-number.ts';
import type { DaemonResults } from './results.ts';

/** The section of the page about `waybill serve`. */
export function renderDaemon(results: DaemonResults): string {
  return [renderSubmit(results), renderDelivery(results), renderRest(results)].join('\n\n');
}

function renderSubmit({ submit }: DaemonResults): string {
  const [ours, ...peers] = submit;
  if (ours === undefined || peers.length === 0) throw new Error('nothing to compare');
  const best = Math.max(...peers.map(({ runsPerSecond }) => runsPerSecond));
  const quickest = Math.min(...peers.map(({ p50 }) => p50));
  const rows = submit.map((one) => {
    const rate = one === ours ? '' : times(ours.runsPerSecond / one.runsPerSecond);
    const speed = one === ours ? '' : times(one.p50 / ours.p50);
    return `| ${one.name} | ${whole(one.runsPerSecond)} | ${rate} | ${ms(one.p50)} | ${ms(one.p99)} | ${speed} |`;
  });
  return `## HTTP submit to result

A piece of work that does nothing, from its submission over the network until its result is known and durable. Client and
server are two processes on this machine, every answer is checked, and what is stored is counted at the end.

| server | results a second, 50 in flight | Waybill does | one alone, p50 | p99 | Waybill is faster |
|---|---|---|---|---|---|
${rows.join('\n')}

Beside the best of them: **${times(ours.runsPerSecond / best)}** the results a second, one in **${(ours.p50 / quickest).toFixed(2)}** of the time.

${submit.map((one) => `- ${one.name} ${one.version}: ${one.settings}.`).join('\n')}

Restate and Waybill are asked over HTTP and answer with the result. BullMQ has no HTTP: its producer and its worker talk to
Redis over TCP, which spares it a hop, and its result comes by its own event stream. It keeps the job, not a ledger of it.`;
}

function renderDelivery({ delivery }: DaemonResults): string {
  const { followers, lines, received, p50, p99, worst, health } = delivery;
  return `## Following a live run (D12)

${whole(followers)} followers, one connection each, in a process of their own; the run prints ${whole(lines)} lines, and every line
reached every follower (${whole(received)} arrivals, counted). A line's way begins at the time in its event, which is taken before its commit.

| | p50 | p99 | worst |
|---|---|---|---|
| from the event to its arrival | ${ms(p50)} | **${ms(p99)}** | ${ms(worst)} |
| \`GET /healthz\` meanwhile, ${whole(health.asked)} times | ${ms(health.p50)} | ${ms(health.p99)} | ${ms(health.worst)} |`;
}

function renderRest({ idle, start }: DaemonResults): string {
  const [floor] = start;
  const uses = idle.map(
    ({ what, seconds, cpu, memory }) =>
      `| ${what}, ${seconds} s | ${(cpu * 100).toFixed(2)} % of a core | ${memory.toFixed(0)} MiB |`,
  );
  const starts = start.map(
    ({ what, median, worst }) =>
      `| ${what} | ${ms(median)} | ${ms(worst)} | ${times(median / (floor?.median ?? median))} |`,
  );
  return `## A daemon that has nothing to do, and its start

| \`waybill serve\` idle | processor | resident memory |
|---|---|---|
${uses.join('\n')}

| start, ${floor?.times ?? 0} times | median | worst | beside an empty Node |
|---|---|---|---|
${starts.join('\n')}`;
}
