import { libcFunction } from './libc-function.ts';

/** `M_MMAP_THRESHOLD` and `M_TRIM_THRESHOLD` of glibc's malloc.h */
const MMAP_THRESHOLD = -3;
const TRIM_THRESHOLD = -1;
const LARGE_BYTES = 1024 * 1024;

type SetOption = (option: number, value: number) => number;

let done = false;

/**
 * Has the C library ask the system for each large block, and give it back as soon as it is free. Otherwise it learns from the first large
 * block that is freed to keep such ones, up to 32 MiB, in heaps of the thread that loads a model: what folding constants leaves behind
 * there took four times the weights of the shipped model. A process does this before it reads much, because what was learnt stays.
 * Only glibc has it; elsewhere nothing happens.
 */
export function largeAllocationsApart(): void {
  if (done) return;
  done = true;
  const setOption = libcFunction<SetOption>('int mallopt(int option, int value)');
  setOption?.(MMAP_THRESHOLD, LARGE_BYTES);
  // What is free at the end of a heap goes back as well; learnt, this would be twice the largest block.
  setOption?.(TRIM_THRESHOLD, LARGE_BYTES);
}
