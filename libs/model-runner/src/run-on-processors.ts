import { libcFunction } from './libc-function.ts';
import { RunnerArgumentError } from './runner-argument-error.ts';

type SetAffinity = (thread: number, bytes: number, mask: Uint8Array) => number;

/**
 * Binds the calling thread to processors, and with it the threads that it starts from then on: a session that is opened
 * afterwards runs on these alone. Linux only.
 * @throws RunnerArgumentError when the process may use none of them, or the system knows no binding
 */
export function runOnProcessors(cpus: readonly number[]): void {
  const named = `processors ${cpus.join(', ')}`;
  const setAffinity = libcFunction<SetAffinity>('int sched_setaffinity(int thread, size_t bytes, void *mask)');
  if (setAffinity === null) {
    throw new RunnerArgumentError(
      `${named} are asked for, but only Linux binds threads; leave the choice to the system.`,
    );
  }
  // Whole 8-byte words, lowest processor first.
  const mask = new Uint8Array(8 * Math.ceil((Math.max(...cpus, 0) + 1) / 64));
  for (const cpu of cpus) mask[cpu >> 3] = (mask[cpu >> 3] ?? 0) | (1 << (cpu & 7));
  if (setAffinity(0, mask.byteLength, mask) !== 0) {
    throw new RunnerArgumentError(`the process may use none of the ${named}; name some that it may (MILLRACE_CPUS).`);
  }
}
