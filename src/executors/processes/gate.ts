/** The POSIX shell that holds a program at its gate; every system Waybill runs on has it at this path. */
export const shell = '/bin/sh';

/** What the gate says on its descriptor 3 once it stands, and what it must hear there before the program may begin. */
export const gateStands = 'held\n';
export const gateOpens = 'go\n';

/** What a contained gate says last, when the program has ended and not when the namespace was killed over it. */
export const gateEnds = 'ended\n';

/** Exit code of a gate that was closed without being opened, because the runner died or killed the process. */
export const gateClosed = 125;

/**
 * The script of `sh -c SCRIPT sh ARGV`, started with a two-way pipe as descriptor 3. It says that it stands, waits for
 * one line, and ends without running anything when the pipe closes first. The program does not inherit the pipe.
 *
 * `exec` runs a program even where the shell has a builtin of that name, and keeps argv[0] as it was given.
 * The shell adds variables of its own (PWD, SHLVL) to the environment; those in `unset` are taken away again.
 */
export function gateScript(how: 'contained' | 'swept', unset: readonly string[]): string {
  const wait = `printf '${gateStands.trim()}\\n' >&3; IFS= read -r waybill_gate <&3 || exit ${gateClosed}; unset ${['waybill_gate', ...unset].join(' ')}`;
  switch (how) {
    case 'swept':
      return `${wait}; exec 3<&-; exec "$@"`;
    case 'contained':
      // The shell stays as the namespace's first process: a program in that place would ignore SIGTERM. What the
      // shell itself has to say ("Terminated") goes to the pipe, not into the program's stderr.
      return `${wait}; exec 4>&2 2>&3; (exec 2>&4 3<&- 4>&-; exec "$@"); waybill_gate=$?; printf '${gateEnds.trim()}\\n' >&2; exit $waybill_gate`;
  }
}

/** Variables a shell may add to the environment; those the caller did not set are unset before the program begins. */
export const shellVariables = ['PWD', 'OLDPWD', 'SHLVL'] as const;
