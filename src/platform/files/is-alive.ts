import { systemCode } from './file-write-failed.ts';

/** Whether a process of this number runs on this machine, as far as this process may see. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) !== 'ESRCH';
  }
}
