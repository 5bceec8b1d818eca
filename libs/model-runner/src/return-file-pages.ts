import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { sep } from 'node:path';
import { advise, DONT_NEED, PAGE_BYTES } from './memory-advice.ts';

/** Smaller ones are not worth a call. */
const LEAST_BYTES = 256 * 1024;
/** A region of which more than this share was used again is used all the time: to bring it in again and again would cost more than it frees. */
const MOST_USED = 0.75;
/** Of a page in /proc/self/pagemap; in the last one the bits of a page that is mapped, of one that is swapped out, and of one that is a file's. */
const ENTRY_BYTES = 8;
const MAPPED = 0x80;
const SWAPPED = 0x40;
const OF_A_FILE = 0x20;
/** A file's private memory: `begin-end r-xp offset device inode /path`. */
const OF_FILE = /^([0-9a-f]+)-([0-9a-f]+) r([w-])[x-]p [0-9a-f]+ \S+ [1-9]\d* +(\/.*)$/m;

interface Region {
  readonly begin: bigint;
  readonly bytes: bigint;
  readonly residentBytes: number;
  /** Its line in /proc/PID/maps. */
  readonly line: string;
}

/** What pages of files were given back, and can be again. */
export interface ReturnedPages {
  /** That were resident. */
  readonly bytes: number;
  /**
   * Gives back what has come in since. A region of which most was used again, or a page was changed, is left alone from then on. Takes some
   * milliseconds; to be called by the thread that opened the model, which alone can unmap its weights.
   * @returns bytes that were resident there
   */
  again(): number;
}

/**
 * Takes pages of programs and libraries out of this process that it has read from their files and can read again: most of what Node and
 * ONNX Runtime read while they start and load a model is never used again. What is comes back from the system's cache of files, 16 pages
 * at a time, without reading a disk; so a few hundred words bring in much of a table of embeddings. Takes some milliseconds. Only Linux
 * tells what may be taken; elsewhere nothing happens.
 * @param weightsFolder whose files may be given back also where they are mapped to be written, as ONNX Runtime maps weights that it only
 * reads; null for none
 */
export function returnFilePages(weightsFolder: string | null): ReturnedPages {
  let regions: readonly Region[] = unchangedRegions(readText('/proc/self/smaps'), weightsFolder);
  return {
    bytes: giveBack(regions),
    again: () => {
      const lines = new Set(readText('/proc/self/maps').split('\n'));
      // Where the address means something else by now, nothing may be touched.
      regions = regions
        .filter(({ line }) => lines.has(line))
        .map((region) => ({ ...region, residentBytes: unchangedBytes(region) }))
        .filter(({ bytes, residentBytes }) => residentBytes < MOST_USED * Number(bytes));
      return giveBack(regions);
    },
  };
}

function giveBack(regions: readonly Region[]): number {
  let returnedBytes = 0;
  for (const { begin, bytes, residentBytes } of regions)
    if (residentBytes > 0 && advise?.(begin, bytes, DONT_NEED) === 0) returnedBytes += residentBytes;
  return returnedBytes;
}

/** Of a region's pages that this process has mapped now. All, where that is not told, or a page is no longer the file's. */
function unchangedBytes({ begin, bytes }: Region): number {
  const entries = new Uint8Array(ENTRY_BYTES * Number(bytes / PAGE_BYTES));
  let file: number | null = null;
  try {
    file = openSync('/proc/self/pagemap', 'r');
    readSync(file, entries, 0, entries.byteLength, ENTRY_BYTES * Number(begin / PAGE_BYTES));
  } catch {
    return Number(bytes);
  } finally {
    if (file !== null) closeSync(file);
  }
  let pages = 0;
  for (let last = ENTRY_BYTES - 1; last < entries.length; last += ENTRY_BYTES) {
    const state = (entries[last] ?? 0) & (MAPPED | SWAPPED | OF_A_FILE);
    if (state === 0 || state === OF_A_FILE) continue;
    if (state !== (MAPPED | OF_A_FILE)) return Number(bytes);
    pages += 1;
  }
  return pages * Number(PAGE_BYTES);
}

/** Empty where the system does not tell. */
function readText(path: string): string {
  if (advise === null) return '';
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/**
 * Regions all of whose pages are the file's own. A page that was changed before the region became read-only (as the loader changes those
 * with addresses in them) would be lost.
 * @param maps as in /proc/PID/smaps
 */
export function unchangedRegions(maps: string, weightsFolder: string | null): Region[] {
  return maps.split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m).flatMap((text) => {
    const place = OF_FILE.exec(text);
    const residentBytes = bytesOf(text, 'Rss');
    if (place === null || bytesOf(text, 'Anonymous') !== 0 || residentBytes === null || residentBytes < LEAST_BYTES)
      return [];
    if (place[3] === 'w' && (weightsFolder === null || !place[4]?.startsWith(`${weightsFolder}${sep}`))) return [];
    const begin = BigInt(`0x${place[1]}`);
    return [{ begin, bytes: BigInt(`0x${place[2]}`) - begin, residentBytes, line: place[0] }];
  });
}

/** Null where the system does not tell. */
function bytesOf(region: string, field: string): number | null {
  const match = new RegExp(`^${field}: +(\\d+) kB$`, 'm').exec(region);
  return match === null ? null : Number(match[1]) * 1024;
}
