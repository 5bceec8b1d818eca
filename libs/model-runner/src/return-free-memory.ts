import { libcFunction } from './libc-function.ts';

type Trim = (keepBytes: number) => number;

/**
 * Has the C library give memory back that nobody uses any more: after a model was closed it would keep much of it for itself.
 * Takes some milliseconds. Only glibc has it; elsewhere nothing happens.
 */
export function returnFreeMemory(): void {
  libcFunction<Trim>('int malloc_trim(size_t keepBytes)')?.(0);
}
