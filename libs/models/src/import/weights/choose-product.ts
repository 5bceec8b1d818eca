import { ModelImportError } from '../model-import-error.ts';
import { zeroPointsFit } from './affine-blocks.ts';
import { BLOCK } from './eight-bits.ts';
import { dense, nb4, nb4Sums, nb8Affine, nb8Symmetric, type Product } from './products.ts';
import type { WeightMatrix } from './weight-matrix.ts';
import { wholeRows } from './whole-rows.ts';
import { wideBlocks, widestBlocks } from './wide-blocks.ts';

export interface ProductChoice {
  readonly layout: string;
  readonly product: Product;
  /** Another product for runs of several tokens a row; null: the same. */
  readonly prefill: Product | null;
}

/**
 * `near`: as near to the file's weights as can be. `quick`: gate, up and output matrices in 8 bits by whole rows, and for
 * prompts the others in 8 bits by blocks of 64, the head by blocks of 128 (docs/decisions/0031-weights-are-laid-out-for-each-phase.md).
 */
export const LAYOUTS = ['near', 'quick'] as const;
export type Layout = (typeof LAYOUTS)[number];

export interface ChoiceOptions {
  /** Quantize dense weights to 8 bits. */
  readonly eightBitDense: boolean;
  readonly layout: Layout;
}

/** Matrices whose inputs keep their meaning in 8 bits by rows. */
const ROW_PARTS: ReadonlySet<string> = new Set(['o', 'gate_up', 'gate', 'up']);

/** The way to hold a matrix, by the part of the decoder that it is (`head`, `qkv`, `o`, …) and its type. */
export async function chooseProduct(
  file: string,
  name: string,
  matrix: WeightMatrix,
  { eightBitDense, layout }: ChoiceOptions,
): Promise<ProductChoice> {
  const part = name.slice(name.lastIndexOf('.') + 1);
  const near = await nearestProduct(file, name, matrix, { eightBitDense, sums: part === 'down' });
  const isExact = matrix.type.form === 'dense' && !eightBitDense;
  if (layout === 'near' || isExact) return { ...near, prefill: null };
  // The head has one row a sequence, whatever the run.
  if (part === 'head') return { layout: 'widest', product: widestBlocks, prefill: null };
  if (ROW_PARTS.has(part)) return { layout: 'rows', product: wholeRows, prefill: null };
  return { layout: `${near.layout}, wide for prompts`, product: near.product, prefill: wideBlocks };
}

/**
 * The way to hold a matrix: what its type holds, exactly or nearly so.
 * @param eightBitDense quantize dense weights to 8 bits
 * @param sums hold w = delta·q + minimum as nb4_sums, as the shipped model does with `down`
 */
async function nearestProduct(
  file: string,
  name: string,
  matrix: WeightMatrix,
  { eightBitDense, sums }: { eightBitDense: boolean; sums: boolean },
): Promise<Omit<ProductChoice, 'prefill'>> {
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
