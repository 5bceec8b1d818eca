import koffi from 'koffi';

type Trim = (keepBytes: number) => number;

/**
 * Has the C library give memory back that nobody uses any more: after a model was closed it would keep much of it for itself.
 * Takes some milliseconds. Only glibc has it; elsewhere nothing happens.
 */
export function returnFreeMemory(): void {
  if (process.platform !== 'linux') return;
  let trim: Trim;
  try {
    trim = koffi.load(null).func('int malloc_trim(size_t keepBytes)') as Trim;
  } catch {
    return;
  }
  trim(0);
}
