import { libcFunction } from './libc-function.ts';

/** `MADV_DONTNEED` of Linux: pages are the system's again. Next time they read as their file, or as zeros where they are of none. */
export const DONT_NEED = 4;
/** `MADV_COLLAPSE` of Linux 6.1 and later; refused where huge pages are switched off (`never`). */
export const COLLAPSE = 25;

/** `madvise`: 0 where the system follows. The address is a page's. */
type Advise = (address: bigint, bytes: bigint, advice: number) => number;

/** Null elsewhere than on Linux: only its advice takes effect at once. */
export const advise = libcFunction<Advise>('int madvise(uintptr_t address, size_t bytes, int advice)');

/** Of this system's memory; some have larger ones than the usual. */
export const PAGE_BYTES = BigInt(libcFunction<() => number>('int getpagesize()')?.() ?? 4_096);
