import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { libraryPath, productLibrary, productsHere } from './product-library.ts';

const NATIVE = new URL('../../native/', import.meta.url);

describe('the library of products', () => {
  it.each(['linux-x64', 'linux-arm64'])('for %s is compiled from the sources beside it', (kind) => {
    const files = readdirSync(NATIVE);
    const hash = createHash('sha256');
    for (const end of ['.c', '.h', 'build.sh'])
      for (const file of files.filter((name) => name.endsWith(end)).toSorted())
        hash.update(readFileSync(new URL(file, NATIVE)));
    // Else: libs/model-runner/native/build.sh, which tells how for another kind.
    expect(readFileSync(libraryPath(kind)).includes(hash.digest('hex'))).toBe(true);
  });

  it('says who multiplies here', () => {
    const library = productLibrary();
    if (typeof library === 'string') expect(productsHere()).toMatch(/^ONNX Runtime's kernels .* because /);
    else
      expect(productsHere()).toBe(
        `our own library multiplies with weights of 4 and 8 bits, and computes attention in float32 (${library.kernel})`,
      );
  });
});
