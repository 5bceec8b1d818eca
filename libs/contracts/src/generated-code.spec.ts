import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../../', import.meta.url));

it('has generated code that equals what `npm run proto` makes of proto/', async () => {
  const out = await mkdtemp(join(tmpdir(), 'millrace-proto-'));
  try {
    const bin = join(root, 'node_modules', '.bin');
    // The plugin is found by name, so a test that is not started by npm needs node_modules/.bin on the PATH.
    const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` };
    // Generated paths are relative to `--output`, so the committed tree's own template serves unchanged.
    await promisify(execFile)(join(bin, 'buf'), ['generate', '--output', out], { cwd: root, env });
    const fresh = join(out, 'libs/contracts/src/gen');
    const committed = join(root, 'libs/contracts/src/gen');
    expect(await readdir(committed)).toEqual(await readdir(fresh));
    for (const file of await readdir(fresh)) {
      expect(await readFile(join(committed, file), 'utf8'), `${file}: run npm run proto`).toBe(
        await readFile(join(fresh, file), 'utf8'),
      );
    }
  } finally {
    await rm(out, { recursive: true });
  }
});
