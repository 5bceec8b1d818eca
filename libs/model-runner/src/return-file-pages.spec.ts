import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { returnFilePages, unchangedRegions } from './return-file-pages.ts';

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
      { begin: 0x55d0bf800000n, bytes: 8n << 20n, residentBytes: 512 << 10 },
      { begin: 0x55d0c0000000n, bytes: 4n << 20n, residentBytes: 2 << 20 },
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
  const returnedBytes = returnFilePages(null);
  const after = filePages();
  expect(returnedBytes > 0).toBe(mayGo.length > 0);
  if (before !== null && after !== null && returnedBytes > 0) expect(after).toBeLessThan(before);
  expect(JSON.parse('{"goes":"on"}')).toEqual({ goes: 'on' });
});

/** KiB of files that are resident in this process; null where the system does not tell. */
function filePages(): number | null {
  try {
    const line = /^RssFile:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
    return line === null ? null : Number(line[1]);
  } catch {
    return null;
  }
}
