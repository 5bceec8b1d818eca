import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import koffi from 'koffi';
import { describe, expect, it } from 'vitest';
import { returnFilePages, unchangedRegions } from './return-file-pages.ts';

const libc = koffi.load(null);

const region = (head: string, { rss, anonymous }: { rss: number; anonymous?: number }): string =>
  [
    head,
    'Size:               4096 kB',
    `Rss:                ${rss} kB`,
    ...(anonymous === undefined ? [] : [`Anonymous:          ${anonymous} kB`]),
    'VmFlags: rd ex mr mw me',
    '',
  ].join('\n');

const CODE = '55d0c0000000-55d0c0400000 r-xp 00800000 fe:00 1234                       /usr/bin/node';

describe('unchangedRegions', () => {
  it('are those of files that nobody can write and nobody has written', () => {
    const found = unchangedRegions(
      region('55d0bf800000-55d0c0000000 r--p 00000000 fe:00 1234      /usr/bin/node', { rss: 512, anonymous: 0 }) +
        region(CODE, { rss: 2048, anonymous: 0 }),
      null,
    );
    expect(found).toEqual([
      {
        begin: 0x55d0bf800000n,
        bytes: 8n << 20n,
        residentBytes: 512 << 10,
        line: '55d0bf800000-55d0c0000000 r--p 00000000 fe:00 1234      /usr/bin/node',
      },
      { begin: 0x55d0c0000000n, bytes: 4n << 20n, residentBytes: 2 << 20, line: CODE },
    ]);
  });

  it('are also those of weights, which are mapped to be written and are not', () => {
    const weights = CODE.replace('r-xp', 'rw-p').replace('/usr/bin/node', '/models/a/model.onnx.data.0');
    const maps = region(weights, { rss: 2048, anonymous: 0 });
    expect(unchangedRegions(maps, '/models/a')).toHaveLength(1);
    expect(unchangedRegions(maps, '/models/b')).toEqual([]);
    expect(unchangedRegions(maps, null)).toEqual([]);
  });

  it.each([
    ['whose pages the loader has changed', region(CODE, { rss: 2048, anonymous: 4 })],
    ['that do not tell whether pages were changed', region(CODE, { rss: 2048 })],
    ['that can be written', region(CODE.replace('r-xp', 'rw-p'), { rss: 2048, anonymous: 0 })],
    ['that are shared', region(CODE.replace('r-xp', 'r--s'), { rss: 2048, anonymous: 0 })],
    ['of no file', region('7ffd00000000-7ffd00400000 r-xp 00000000 00:00 0   [vdso]', { rss: 2048, anonymous: 0 })],
    ['of which little is resident', region(CODE, { rss: 252, anonymous: 0 })],
  ])('are not those %s', (_, maps) => {
    expect(unchangedRegions(maps, '/models/a')).toEqual([]);
  });
});

it('gives pages of the program back, which goes on', () => {
  const before = filePages();
  const mayGo = before === null ? [] : unchangedRegions(readFileSync('/proc/self/smaps', 'utf8'), null);
  const returned = returnFilePages(null);
  const returnedBytes = returned.bytes;
  const after = filePages();
  expect(returnedBytes > 0).toBe(mayGo.length > 0);
  if (before !== null && after !== null && returnedBytes > 0) expect(after).toBeLessThan(before);
  expect(JSON.parse('{"goes":"on"}')).toEqual({ goes: 'on' });
  expect(returned.again() > 0).toBe(mayGo.length > 0);
  expect(JSON.parse('{"goes":"further"}')).toEqual({ goes: 'further' });
});

it('gives pages of weights back again and again, but not those that are used all the time, nor changed ones', async () => {
  if (filePages() === null) return;
  const folder = await mkdtemp(join(tmpdir(), 'weights-'));
  const file = join(folder, 'model.onnx.data');
  await writeFile(file, Buffer.alloc(MAPPED_BYTES, 7));
  const address = mapped(file);
  const read = (share: number) => {
    for (let at = 0; at < share * MAPPED_BYTES; at += 4_096) expect(koffi.decode(address, at, 'uint8')).toBe(7);
  };
  read(1);
  expect(residentKib(file)).toBe(4_096);
  const pages = returnFilePages(folder);
  expect(residentKib(file)).toBe(0);
  for (let round = 0; round < 2; round++) {
    read(0.5);
    expect(residentKib(file)).toBeGreaterThanOrEqual(2_048);
    pages.again();
    expect(residentKib(file)).toBe(0);
  }
  read(1);
  pages.again();
  expect(residentKib(file)).toBe(4_096);
  const others = returnFilePages(folder);
  koffi.encode(address, 8_192, 'uint8', 9);
  others.again();
  expect(koffi.decode(address, 8_192, 'uint8')).toBe(9);
  await rm(folder, { recursive: true });
});

it('leaves alone what has come to the address of weights that are gone', async () => {
  if (filePages() === null) return;
  const folder = await mkdtemp(join(tmpdir(), 'weights-'));
  const file = join(folder, 'model.onnx.data');
  await writeFile(file, Buffer.alloc(MAPPED_BYTES, 7));
  const address = mapped(file);
  for (let at = 0; at < MAPPED_BYTES; at += 4_096) koffi.decode(address, at, 'uint8');
  const pages = returnFilePages(folder);
  expect(pages.bytes).toBeGreaterThanOrEqual(MAPPED_BYTES);
  map(address, MAPPED_BYTES, READ_AND_WRITE, 0x2 | 0x10 | 0x20, -1, 0);
  koffi.encode(address, 0, 'uint8', 5);
  pages.again();
  expect(koffi.decode(address, 0, 'uint8')).toBe(5);
  await rm(folder, { recursive: true });
});

const MAPPED_BYTES = 4 << 20;
const READ_AND_WRITE = 1 | 2;
const map = libc.func('void *mmap(void *at, size_t bytes, int protection, int flags, int file, intptr_t offset)');

/** A file as ONNX Runtime maps weights: private, and to be written. */
function mapped(file: string): unknown {
  const opened = openSync(file, 'r');
  const address = map(null, MAPPED_BYTES, READ_AND_WRITE, 2, opened, 0);
  closeSync(opened);
  return address;
}

function residentKib(file: string): number {
  const region = readFileSync('/proc/self/smaps', 'utf8').split(file)[1];
  return Number(/^Rss:\s+(\d+) kB$/m.exec(region ?? '')?.[1]);
}

/** KiB of files that are resident in this process; null where the system does not tell. */
function filePages(): number | null {
  try {
    const line = /^RssFile:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
    return line === null ? null : Number(line[1]);
  } catch {
    return null;
  }
}
