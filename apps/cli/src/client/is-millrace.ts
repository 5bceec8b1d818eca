import { readFileSync } from 'node:fs';

/** Whether a process of this id lives that may be one of ours, and is not this one. */
export function isMillrace(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
  try {
    // A process id is given out again after a reboot; Linux shows whose it is now.
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('node');
  } catch {
    return true;
  }
}
