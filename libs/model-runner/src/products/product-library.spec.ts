import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { productLibrary, productsHere } from './product-library.ts';

const NATIVE = new URL('../../native/', import.meta.url);

describe('the library of products', () => {
  const library = productLibrary();

  it.skipIf(typeof library === 'string')('is compiled from the sources beside it', () => {
    const files = readdirSync(NATIVE);
    const hash = createHash('sha256');
    for (const end of ['.c', '.h', 'build.sh'])
      for (const file of files.filter((name) => name.endsWith(end)).toSorted())
        hash.update(readFileSync(new URL(file, NATIVE)));
    // Else: libs/model-runner/native/build.sh
    expect(typeof library === 'string' ? null : library.sources).toBe(hash.digest('hex'));
  });

  it('says who multiplies here', () => {
    expect(productsHere()).toMatch(
      typeof library === 'string' ? /^ONNX Runtime's kernels .* because / : /^our own library/,
    );
  });
});
