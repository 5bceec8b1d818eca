import koffi from 'koffi';
import type { KvType } from '#contracts';
import { KV_VALUE_BYTES } from '#contracts/ports';
import { type KvArray, kvArray } from '../element-type.ts';
import { advise, DONT_NEED, PAGE_BYTES } from '../memory-advice.ts';

/** Whether the system takes memory back that is still allocated. Elsewhere a cache keeps what it ever used. */
export const CAN_GIVE_BACK_MEMORY = advise !== null;

/**
 * An array that begins with a page, so that rows of whole pages share none with their neighbours. Others begin some bytes behind one: each
 * row would take, and keep, a page more.
 */
export function pageAlignedArray(type: KvType, length: number): KvArray {
  if (advise === null) return kvArray(type, length);
  const elementBytes = KV_VALUE_BYTES[type];
  const array = kvArray(type, length + Number(PAGE_BYTES) / elementBytes);
  const behindPage = koffi.address(array) % PAGE_BYTES;
  const from = behindPage === 0n ? 0 : Number(PAGE_BYTES - behindPage) / elementBytes;
  return array.subarray(from, from + length);
}

/** Gives the whole pages within `array[from … to − 1]` back to the system; what stands there is lost. */
export function giveBackMemory(array: KvArray, from: number, to: number): void {
  if (advise === null || to <= from) return;
  const begin = koffi.address(array) + BigInt(from * array.BYTES_PER_ELEMENT);
  const end = koffi.address(array) + BigInt(to * array.BYTES_PER_ELEMENT);
  const firstPage = ((begin + PAGE_BYTES - 1n) / PAGE_BYTES) * PAGE_BYTES;
  const pagesEnd = (end / PAGE_BYTES) * PAGE_BYTES;
  // Should the system refuse, the memory stays ours, which harms nobody.
  if (pagesEnd > firstPage) advise(firstPage, pagesEnd - firstPage, DONT_NEED);
}
