import { readFileSync } from 'node:fs';

/** The kernel's unit of CPU time in /proc, the same on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** CPU time, user's and system's, that processes have used so far, in seconds. Linux only. */
export function cpuSeconds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name, in parentheses, may hold spaces; utime and stime are the 12th and 13th field after it (proc_pid_stat(5)).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return sum + (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }, 0);
}
