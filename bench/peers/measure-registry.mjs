// The one way every registry is measured: small publishes, then large files up and down, then the memory of its process.
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { measure, runFor } from './measure.mjs';

/** Packages that get new versions, so that no two publishes in flight meet in one. */
const severalPackages = 64;
const smallBytes = 2048;

/** @returns {import('./measure-registry.d.mts').RegistryLoad} */
export function readRegistryLoad() {
  return JSON.parse(process.argv[2] ?? '{}');
}

/**
 * @param {import('./measure-registry.d.mts').RegistryLoad} load
 * @param {import('./measure-registry.d.mts').RegistryDriver} driver
 */
export async function measureRegistry(load, driver) {
  const published = driver.publish === undefined ? {} : await measurePublishes(load, driver);
  const transferred = driver.upload === undefined || load.transfers === 0 ? {} : await measureTransfers(load, driver);
  return { ...published, ...transferred };
}

async function measurePublishes(load, driver) {
  const small = randomBytes(smallBytes);
  const cpuBefore = cpuMs(driver.pid);
  /** Others for each publish, so that nothing is stored once for two. */
  const bytesOf = (kind, n) => Buffer.concat([Buffer.from(`${kind} ${n} `), small]).subarray(0, smallBytes);
  const fresh = await measure(
    load,
    async (n) => {
      await driver.publish(`new-${n}`, '1.0.0', bytesOf('new', n));
      return n;
    },
    (n) => n,
  );
  let more = 0;
  const versionsPerSecond = await runFor(load.seconds, load.inFlight, async () => {
    more += 1;
    const n = more;
    await driver.publish(`more-${n % severalPackages}`, `1.0.${n}`, bytesOf('more', n));
  });
  const cpu = cpuMs(driver.pid) - cpuBefore;
  const back = await driver.fetch(`more-${more % severalPackages}`, `1.0.${more}`);
  if (!back.equals(bytesOf('more', more))) throw new Error('what comes back is not what was published');
  const stored = await driver.count();
  if (stored !== fresh.runs + more) throw new Error(`${stored} versions stored of ${fresh.runs + more}`);
  const { runsPerSecond, ones, p50, p99 } = fresh;
  const rates = { freshPerSecond: runsPerSecond, versionsPerSecond, cpuMs: cpu / stored };
  return { publishes: { published: stored, ...rates, ones, p50, p99 } };
}

async function measureTransfers({ bytes, transfers, together }, driver) {
  const large = randomBytes(bytes);
  let made = 0;
  /** A head of its own makes each file another one; its digest and whatever a client prepares is outside of the time. */
  const prepare = () => {
    made += 1;
    const head = Buffer.alloc(16);
    head.writeUInt32LE(made);
    const parts = [head, large.subarray(head.length)];
    const hash = createHash('sha256');
    for (const part of parts) hash.update(part);
    return driver.upload(`large-${made}`, parts, hash.digest('hex'));
  };
  const mib = bytes / 2 ** 20;
  const seconds = async (work) => {
    const start = performance.now();
    const answer = await work();
    return { took: (performance.now() - start) / 1000, answer };
  };

  const first = await (await prepare())();
  if (!(await driver.whole(first)).subarray(16).equals(large.subarray(16))) throw new Error('other bytes come back');
  const before = residentNow(driver.pid);
  restartPeak(driver.pid);
  const [ups, downs] = [[], []];
  for (let index = 0; index < transfers; index += 1) {
    const upload = await prepare();
    const up = await seconds(upload);
    const down = await seconds(() => driver.download(up.answer));
    if (down.answer !== bytes) throw new Error(`${down.answer} bytes of ${bytes} came back`);
    ups.push(mib / up.took);
    downs.push(mib / down.took);
  }
  const alone = { up: median(ups), down: median(downs), peak: residentPeak(driver.pid) };
  if (together === 0 || driver.oneByOne) return { transfers: { before, alone, after: residentNow(driver.pid) } };

  restartPeak(driver.pid);
  const uploads = await Promise.all(Array.from({ length: together }, prepare));
  const up = await seconds(() => Promise.all(uploads.map((upload) => upload())));
  const down = await seconds(() => Promise.all(up.answer.map((place) => driver.download(place))));
  const all = mib * together;
  const many = { up: all / up.took, down: all / down.took, peak: residentPeak(driver.pid) };
  return { transfers: { before, alone, many, after: residentNow(driver.pid) } };
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[Math.floor(sorted.length / 2)] + sorted[Math.floor((sorted.length - 1) / 2)]) / 2;
}

/** MiB in memory, now and at most since the last restart: proc_pid_status(5), and `clear_refs` of proc_pid_clear_refs(5). */
function residentNow(pid) {
  return resident(pid, 'VmRSS');
}

function residentPeak(pid) {
  return resident(pid, 'VmHWM');
}

function resident(pid, field) {
  const found = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(found?.[1]) / 1024;
}

/**
 * User and system time of a process: fields 14 and 15 of proc_pid_stat(5), in the kernel's unit for them, which is 10 ms on
 * every platform Linux runs on (`getconf CLK_TCK`).
 */
function cpuMs(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function restartPeak(pid) {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}
