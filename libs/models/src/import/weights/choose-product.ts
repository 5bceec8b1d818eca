import { ModelImportError } from '../model-import-error.ts';
import { zeroPointsFit } from './affine-blocks.ts';
import { BLOCK } from './eight-bits.ts';
import { dense, nb4, nb4Sums, nb8Affine, nb8Symmetric, type Product } from './products.ts';
import type { WeightMatrix } from './weight-matrix.ts';

export interface ProductChoice {
  readonly layout: string;
  readonly product: Product;
}

/**
 * The way to hold a matrix: what its type holds, exactly or nearly so.
 * @param eightBitDense quantize dense weights to 8 bits
 * @param sums hold w = delta·q + minimum as nb4_sums, as the shipped model does with `down`
 */
export async function chooseProduct(
  file: string,
  name: string,
  matrix: WeightMatrix,
  { eightBitDense, sums }: { eightBitDense: boolean; sums: boolean },
): Promise<ProductChoice> {
  const { form } = matrix.type;
  if (form === 'dense' && !eightBitDense) return { layout: 'float32', product: dense };
  if (matrix.columns % BLOCK !== 0)
    throw new ModelImportError(
      file,
      `${name} has ${matrix.columns} columns, no multiple of ${BLOCK}, which 8-bit weights need`,
      'import it without --quantize',
    );
  if (form === 'symmetric4') return { layout: 'nb4', product: nb4 };
  if (form !== 'affine4') return { layout: 'nb8 symmetric', product: nb8Symmetric };
  const fine = !sums && (await zeroPointsFit(matrix));
  return fine ? { layout: 'nb8', product: nb8Affine } : { layout: 'nb4_sums', product: nb4Sums };
}
