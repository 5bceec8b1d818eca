import { readFileSync } from 'node:fs';
import { sep } from 'node:path';
import { advise, DONT_NEED } from './memory-advice.ts';

/** Smaller ones are not worth a call. */
const LEAST_BYTES = 256 * 1024;
/** A file's private memory: `begin-end r-xp offset device inode /path`. */
const OF_FILE = /^([0-9a-f]+)-([0-9a-f]+) r([w-])[x-]p [0-9a-f]+ \S+ [1-9]\d* +(\/.*)$/m;

interface Region {
  readonly begin: bigint;
  readonly bytes: bigint;
  readonly residentBytes: number;
}

/**
 * Takes pages of programs and libraries out of this process that it has read from their files and can read again: most of what Node and
 * ONNX Runtime read while they start and load a model is never used again. What is comes back from the system's cache of files, 16 pages
 * at a time, without reading a disk. Takes some milliseconds. Only Linux tells what may be taken; elsewhere nothing happens.
 * @param weightsFolder whose files may be given back also where they are mapped to be written, as ONNX Runtime maps weights that it only
 * reads; null for none
 * @returns bytes that were resident there
 */
export function returnFilePages(weightsFolder: string | null): number {
  if (advise === null) return 0;
  let maps: string;
  try {
    maps = readFileSync('/proc/self/smaps', 'utf8');
  } catch {
    return 0;
  }
  let returnedBytes = 0;
  for (const { begin, bytes, residentBytes } of unchangedRegions(maps, weightsFolder))
    if (advise(begin, bytes, DONT_NEED) === 0) returnedBytes += residentBytes;
  return returnedBytes;
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
    return [{ begin, bytes: BigInt(`0x${place[2]}`) - begin, residentBytes }];
  });
}

/** Null where the system does not tell. */
function bytesOf(region: string, field: string): number | null {
  const match = new RegExp(`^${field}: +(\\d+) kB$`, 'm').exec(region);
  return match === null ? null : Number(match[1]) * 1024;
}
