import { readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseGgufHeader } from './gguf/gguf-header.ts';
import { importGguf } from './import-gguf.ts';
import { ImportTrial, LLAMA } from './testing/import-trial.ts';

let trial: ImportTrial;
beforeEach(async () => {
  trial = await ImportTrial.begin();
});
afterEach(() => trial[Symbol.asyncDispose]());

describe('a GGUF that is damaged', () => {
  it('refuses files that are missing, no GGUF, or cut off', async () => {
    expect(await trial.problem({ file: trial.path('nothing.gguf') })).toMatch(/ENOENT/);
    await writeFile(trial.path('no.gguf'), 'hello, this is text');
    expect(await trial.problem({ file: trial.path('no.gguf') })).toMatch(/does not begin with "GGUF"/);
    const bytes = await readFile(LLAMA);
    const cut = trial.path('cut.gguf');
    await writeFile(cut, bytes);
    await truncate(cut, bytes.length - 5_000);
    expect(await trial.problem({ file: cut })).toMatch(
      /cut off: tensor .* ends at byte \d+, the file at \d+.*download/,
    );
    await truncate(cut, 3_000);
    expect(await trial.problem({ file: cut })).toMatch(
      /ggml\.tokens is 384: it is cut off or damaged, 3000 bytes are too few/,
    );
    await truncate(cut, 30);
    expect(await trial.problem({ file: cut })).toMatch(/cut off/);
    expect(await trial.problem({ file: trial.root })).toMatch(/it is no file\. Remedy: give the path of a \.gguf file/);
  });

  it('reads no further than a header can be, and follows no lists without end', async () => {
    const deep = await trial.edited(({ metadata }) => {
      let list: readonly unknown[] = [];
      for (let depth = 0; depth < 500; depth++) list = [list];
      metadata.set('x.deep', list as never);
    });
    expect(await trial.problem({ file: deep })).toMatch(/x\.deep has lists in lists, 9 deep/);
    const bytes = await readFile(LLAMA);
    bytes.writeBigUInt64LE(2n ** 40n, 8);
    await writeFile(trial.path('many.gguf'), bytes);
    expect(await trial.problem({ file: trial.path('many.gguf') })).toMatch(
      /the number of tensors is 1099511627776: it is cut off/,
    );
  });

  it('refuses damaged headers with its own errors, or makes a folder that is served', async () => {
    const bytes = await readFile(LLAMA);
    const file = trial.path('damaged.gguf');
    const headerBytes = parseGgufHeader(LLAMA, bytes, bytes.length).dataStart;
    const damage = fc.array(fc.tuple(fc.nat(headerBytes - 8), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.nat(8)), {
      minLength: 1,
      maxLength: 3,
    });
    await fc.assert(
      fc.asyncProperty(damage, async (places) => {
        const damaged = Buffer.from(bytes);
        for (const [at, value, length] of places) {
          const number = Buffer.from(BigUint64Array.of(value).buffer).subarray(0, length);
          number.copy(damaged, at);
        }
        await writeFile(file, damaged);
        const folder = trial.path('from-damaged');
        const outcome = await importGguf({ file, folder }).catch((error: unknown) => error);
        await rm(folder, { recursive: true, force: true });
        if (outcome instanceof Error) expect(['ModelImportError', 'ModelFolderError']).toContain(outcome.name);
        expect((await readdir(trial.root)).filter((name) => name.includes('unfinished'))).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});
