import type { RegistryRows } from './registry.ts';
import type { NamedRegistry } from './registry-result.ts';
import { ms, times, whole } from './render-number.ts';

/** The section of the page about the registry. */
export function renderRegistry(rows: RegistryRows): string {
  return [renderPublishes(rows), renderTransfers(rows), renderMemory(rows), renderNotes(rows)].join('\n\n');
}

function renderPublishes({ registries }: RegistryRows): string {
  const ours = ourPublishes(registries);
  const rows = registries.flatMap(({ name, publishes }) => {
    if (publishes === undefined) return [];
    const { freshPerSecond, versionsPerSecond, p50, p99, cpuMs } = publishes;
    const ratio = publishes === ours ? '' : times(ours.freshPerSecond / freshPerSecond);
    const more = publishes === ours ? '' : times(ours.versionsPerSecond / versionsPerSecond);
    return [
      `| ${name} | ${whole(freshPerSecond)} | ${ratio} | ${whole(versionsPerSecond)} | ${more} | ${ms(p50)} | ${ms(p99)} | ${ms(cpuMs)} |`,
    ];
  });
  return `## The registry (G27)

Small packages, one file of 2 KiB each, published by a client in another process over connections that stay open. Every answer
is checked, a file is fetched again, and what is stored is counted at the end (Waybill: versions, events and audit records).

| registry | new packages a second, 16 in flight | Waybill does | new versions a second | Waybill does | one alone, p50 | p99 | processor time of one |
|---|---|---|---|---|---|---|---|
${rows.join('\n')}

Beside Verdaccio: **${times(ours.freshPerSecond / named(registries, 'Verdaccio').freshPerSecond)}** the publishes of new packages a second, **${times(ours.versionsPerSecond / named(registries, 'Verdaccio').versionsPerSecond)}** of new versions.`;
}

function ourPublishes(registries: readonly NamedRegistry[]) {
  return named(registries, 'Waybill');
}

function named(registries: readonly NamedRegistry[], wanted: string) {
  const publishes = registries.find(({ name }) => name === wanted)?.publishes;
  if (publishes === undefined) throw new Error('nothing to compare');
  return publishes;
}

function renderTransfers({ size, together, limits, registries }: RegistryRows): string {
  const { sha256, write, read } = limits;
  const slowestUp = Math.min(sha256, write);
  const slowestDown = Math.min(sha256, read);
  const share = (rate: number, limit: number) => `${Math.round((rate / limit) * 100)} %`;
  const rows = registries.flatMap(({ name, transfers }) => {
    if (transfers === undefined) return [];
    const { alone, many } = transfers;
    const both = many === undefined ? '| | ' : `| ${whole(many.up)} | ${whole(many.down)} `;
    return [
      `| ${name} | ${whole(alone.up)} | ${share(alone.up, slowestUp)} | ${whole(alone.down)} | ${share(alone.down, slowestDown)} ${both}|`,
    ];
  });
  return `| file of ${size} MiB, MiB a second | up | of the limit | down | of the limit | ${together} at once, up | down |
|---|---|---|---|---|---|---|
| limit: SHA-256 in one thread | ${whole(sha256)} | | ${whole(sha256)} | | | |
| limit: the disk | ${whole(write)} | | ${whole(read)} | | | |
${rows.join('\n')}

The limit is the slower of SHA-256 and the disk, measured in the same rounds: written with one fsync, and read just after
that, so out of the page cache, as each download here is. "Node, no registry" is a bare \`node:http\` that does the digest, the
file and the fsync and nothing else: what one Node process can do on two cores that the client uses too.`;
}

function renderMemory({ together, registries }: RegistryRows): string {
  const rows = registries.flatMap(({ name, transfers }) => {
    if (transfers === undefined) return [];
    const { before, alone, many, after } = transfers;
    const most = many === undefined ? '' : mib(many.peak);
    return [`| ${name} | ${mib(before)} | ${mib(alone.peak)} | ${most} | ${mib(after)} |`];
  });
  return `| memory of the server | before | most, one at a time | most, ${together} at once | after |
|---|---|---|---|---|
${rows.join('\n')}`;
}

function mib(value: number): string {
  return `${whole(value)} MiB`;
}

function renderNotes({ registries }: RegistryRows): string {
  return `${registries.map(({ name, version, settings }) => `- ${name} ${version}: ${settings}.`).join('\n')}

Verdaccio syncs nothing: what it has answered is lost in a power cut. Waybill answers once the file, its folder and the
database are synced, and a publish of it is also an audit record and an event for others. docker-registry keeps a tag that
can be moved, not a version that cannot. Verdaccio's large file is a PUT of base64, as \`npm publish\` sends it, and its client
is given the body ready-made.`;
}
