import { writeSync } from 'node:fs';
import { WaybillError } from '../../contract/errors.ts';
import { errorDocument } from './report-error.ts';

/** Ends that explain themselves: an error nobody caught, a second SIGINT, a second SIGTERM. */
const explained = new Set([3, 130, 143]);

let over = false;
let watching = false;

/**
 * Workflows and the configuration are code of the workspace in this process, and may end it: `process.exit(0)` in a
 * step must not look like a command that is done. What was at work is as after a crash.
 */
export function watchForUnexpectedEnd(json: boolean): void {
  if (watching) return;
  watching = true;
  process.on('exit', (code) => {
    if (over || explained.has(code)) return;
    const error = new WaybillError('interrupted', `the process was ended in the middle of the command (code ${code})`, {
      hint: 'Look for process.exit in waybill.config.ts and its workflows. Go on with: waybill resume RUN',
    });
    process.exitCode = error.exitCode;
    if (json) tell(1, JSON.stringify(errorDocument(error, null)));
    else tell(2, `error: ${error.message}\nhint:  ${error.hint}\ncode:  ${error.code}`);
  });
}

/** The command is over: from here on the process may end. */
export function expectEnd(): void {
  over = true;
}

/** At the end of a process only what is written synchronously is written. */
function tell(stream: 1 | 2, text: string): void {
  try {
    writeSync(stream, `${text}\n`);
  } catch {
    // Nobody reads any more; the exit code says it.
  }
}
