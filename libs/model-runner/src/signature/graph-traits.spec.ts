import { describe, expect, it } from 'vitest';
import { vocabularyProduct } from './graph-traits.ts';
import type { Node } from './value-info.ts';

const node = (opType: string, input: string[], output: string): Node => ({ opType, input, output: [output] });
const productOf = (...nodes: Node[]) =>
  vocabularyProduct({ node: nodes, initializer: [{ name: 'weights' }, { name: 'cap' }] });

describe('vocabularyProduct', () => {
  it('is the product that gives the logits, quantized or not', () => {
    expect(productOf(node('MatMul', ['hidden', 'weights'], 'logits'))).toBe('logits');
    const turned = node('Transpose', ['weights'], 'turned');
    expect(productOf(turned, node('MatMul', ['hidden', 'turned'], 'logits'))).toBe('logits');
    expect(productOf(node('MatMulNBits', ['hidden', 'weights'], 'logits'))).toBe('logits');
  });

  it('is found behind casts and a soft cap', () => {
    const nodes = [
      node('MatMul', ['hidden', 'weights'], 'raw'),
      node('Div', ['raw', 'cap'], 'divided'),
      node('Tanh', ['divided'], 'bent'),
      node('Mul', ['bent', 'cap'], 'capped'),
      node('Cast', ['capped'], 'logits'),
    ];
    expect(productOf(...nodes)).toBe('raw');
  });

  it('is none where positions are mixed behind it, or two computed values meet', () => {
    const product = node('MatMul', ['hidden', 'weights'], 'raw');
    expect(productOf(product, node('Reshape', ['raw', 'cap'], 'logits'))).toBeNull();
    expect(productOf(product, node('Add', ['raw', 'hidden'], 'logits'))).toBeNull();
    expect(productOf(node('MatMul', ['weights', 'hidden'], 'logits'))).toBeNull();
    expect(productOf(product)).toBeNull();
  });
});
