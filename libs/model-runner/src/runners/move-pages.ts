import koffi from 'koffi';
import type { KvArray } from '../element-type.ts';
import { libcFunction } from '../libc-function.ts';
import { PAGE_BYTES } from '../memory-advice.ts';

/** `MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP` of Linux 5.7 and later: the pages change their address, and the old one stays, without any. */
const MOVE_PAGES_TO = 1 | 2 | 4;
/** `PROT_READ | PROT_WRITE`, and `MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE`. */
const READ_AND_WRITE = 1 | 2;
const NEW_PAGES_AT = 0x2 | 0x10 | 0x20 | 0x4000;
/** What the calls return where the system refuses. */
const FAILED = -1;

type Move = (from: bigint, bytes: number, newBytes: number, flags: number, to: bigint) => number;
type MapMemory = (at: bigint, bytes: number, protection: number, flags: number, file: number, offset: number) => number;

const move = libcFunction<Move>(
  'intptr_t mremap(uintptr_t from, size_t bytes, size_t newBytes, int flags, uintptr_t to)',
);
const map = libcFunction<MapMemory>(
  'intptr_t mmap(uintptr_t at, size_t bytes, int protection, int flags, int file, intptr_t offset)',
);

/** Whether places of so many bytes, which begin with a page, can be moved. */
export function canMovePages(placeBytes: number): boolean {
  return move !== null && map !== null && placeBytes > 0 && placeBytes % Number(PAGE_BYTES) === 0;
}

/**
 * Moves `length` values of an array by the pages that they lie in, which takes as long for many as for few and no memory. Behind it the
 * old place reads as zeros. Both places begin and end with a page, and do not overlap; `canMovePages` is true of them.
 * @returns false where the system refuses: the values are where they were, and those of the new place are lost
 */
export function movePages(array: KvArray, from: number, to: number, length: number): boolean {
  if (move === null || map === null) return false;
  const base = koffi.address(array);
  const bytes = length * array.BYTES_PER_ELEMENT;
  const target = base + BigInt(to * array.BYTES_PER_ELEMENT);
  const source = base + BigInt(from * array.BYTES_PER_ELEMENT);
  if (move(source, bytes, bytes, MOVE_PAGES_TO, target) !== FAILED) return true;
  // Linux may have unmapped the new place before it found out why it can not move.
  if (map(target, bytes, READ_AND_WRITE, NEW_PAGES_AT, -1, 0) === FAILED)
    throw new Error('memory that was unmapped to move pages there can not be mapped again');
  return false;
}
