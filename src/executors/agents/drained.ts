/** How long the pipes of a dead process may be silent before what it wrote counts as read to its end. */
export const drainQuietMs = 300;

/**
 * After a process ended: waits until its pipes are `read` to their end, or until nothing came through them for a
 * while, because a grandchild holds them open. `progress` grows with what was read; `busy` is true while it is us
 * who are slow.
 */
export async function drained(read: Promise<unknown>, progress: () => number, busy: () => boolean): Promise<void> {
  for (let seen = -1; seen !== progress() || busy(); ) {
    seen = progress();
    let timer: NodeJS.Timeout | undefined;
    const quiet = new Promise((resolve) => {
      timer = setTimeout(resolve, drainQuietMs, 'quiet');
    });
    const what = await Promise.race([read.then(() => 'end'), quiet]);
    clearTimeout(timer);
    if (what === 'end') return;
  }
}
