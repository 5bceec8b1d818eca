import { describe, expect, it } from 'vitest';
import { lastPosition } from './last-position.ts';
import type { Node } from './value-info.ts';

const node = (opType: string, input: string[], ...output: string[]): Node => ({ opType, input, output });
const lastOf = (...nodes: Node[]) =>
  lastPosition({ node: nodes, initializer: ['weights', 'cap', 'norm', 'o'].map((name) => ({ name })) });
const productOf = (...nodes: Node[]) => lastOf(...nodes)?.readers[0] ?? null;

describe('lastPosition', () => {
  it('begins with the product that gives the logits, quantized or not', () => {
    expect(productOf(node('MatMul', ['hidden', 'weights'], 'logits'))).toBe('logits');
    const turned = node('Transpose', ['weights'], 'turned');
    expect(productOf(turned, node('MatMul', ['hidden', 'turned'], 'logits'))).toBe('logits');
    expect(productOf(node('MatMulNBits', ['hidden', 'weights'], 'logits'))).toBe('logits');
  });

  it('finds it behind casts and a soft cap', () => {
    const nodes = [
      node('MatMul', ['hidden', 'weights'], 'raw'),
      node('Div', ['raw', 'cap'], 'divided'),
      node('Tanh', ['divided'], 'bent'),
      node('Mul', ['bent', 'cap'], 'capped'),
      node('Cast', ['capped'], 'logits'),
    ];
    expect(productOf(...nodes)).toBe('raw');
  });

  it('is nowhere where positions are mixed behind it, or two computed values meet', () => {
    const product = node('MatMul', ['hidden', 'weights'], 'raw');
    expect(productOf(product, node('Reshape', ['raw', 'cap'], 'logits'))).toBeNull();
    expect(productOf(product, node('Add', ['raw', 'hidden'], 'logits'))).toBeNull();
    expect(productOf(node('MatMul', ['weights', 'hidden'], 'logits'))).toBeNull();
    expect(productOf(product)).toBeNull();
  });

  /** A layer as exporters write it: attention, product, residual, norm, two products and their gate. */
  const layer = (gate: Node = node('Mul', ['activated', 'up'], 'gated')): Node[] => [
    node('SkipSimplifiedLayerNormalization', ['before', 'branch', 'norm'], 'normed', '', '', 'residual'),
    node('GroupQueryAttention', ['normed', '', '', 'past_key_values.0.key'], 'attended', 'present.0.key'),
    node('MatMulNBits', ['attended', 'o'], 'out'),
    node('SkipSimplifiedLayerNormalization', ['residual', 'out', 'norm'], 'post', '', '', 'sum'),
    node('Cast', ['weights'], 'wide'),
    node('MatMul', ['post', 'wide'], 'gate'),
    node('MatMulNBits', ['post', 'weights'], 'up'),
    node('Sigmoid', ['gate'], 'activated'),
    gate,
    node('MatMulNBits', ['gated', 'weights'], 'down'),
    node('SkipSimplifiedLayerNormalization', ['sum', 'down', 'norm'], 'final'),
    node('MatMulNBits', ['final', 'weights'], 'logits'),
  ];

  it('begins behind the last attention where every operator there treats positions for themselves', () => {
    expect(lastOf(...layer())).toEqual({ values: ['attended', 'residual'], readers: ['out', 'post'] });
  });

  it('begins with the product where an operator is not known, or something else is read there', () => {
    const productOnly = { values: ['final'], readers: ['logits'] };
    expect(lastOf(...layer(node('MoE', ['activated', 'up'], 'gated')))).toEqual(productOnly);
    expect(lastOf(...layer(node('MatMul', ['activated', 'up'], 'gated')))).toEqual(productOnly);
    const beside = layer().map((each) => (each.output?.[0] === 'gate' ? { ...each, input: ['normed', 'wide'] } : each));
    expect(lastOf(...beside)).toEqual(productOnly);
    const positions = node('Cast', ['input_ids'], 'positions');
    expect(lastOf(positions, ...layer(node('Mul', ['activated', 'positions'], 'gated')))).toEqual(productOnly);
    expect(lastOf(...layer().filter(({ opType }) => opType !== 'GroupQueryAttention'))).toEqual(productOnly);
  });
});
