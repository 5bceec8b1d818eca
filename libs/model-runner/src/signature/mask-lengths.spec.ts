import { expect, it } from 'vitest';
import { maskLengths } from './mask-lengths.ts';
import type { Graph, Node } from './value-info.ts';

const attention = (layer: number, ...lengths: string[]): Node => ({
  opType: 'GroupQueryAttention',
  input: ['q', '', '', `past_key_values.${layer}.key`, `past_key_values.${layer}.value`, ...lengths],
  output: [`attended.${layer}`],
});

const MASKED: Node[] = [
  { opType: 'ReduceSum', input: ['attention_mask', 'axis'], output: ['ones'] },
  { opType: 'Sub', input: ['ones', 'one'], output: ['last'] },
  { opType: 'Cast', input: ['last'], output: ['lengths'] },
  { opType: 'Shape', input: ['attention_mask'], output: ['shape'] },
  { opType: 'Gather', input: ['shape', 'one'], output: ['width'] },
  { opType: 'Cast', input: ['width'], output: ['total'] },
];

const graph = (more: Node[], change: Partial<Graph> = {}): Graph => ({
  node: [...MASKED, attention(0, 'lengths', 'total'), attention(1, 'lengths', 'total'), ...more],
  input: [{ name: 'input_ids' }, { name: 'attention_mask' }],
  initializer: [{ name: 'one', dims: [] }],
  output: [{ name: 'logits' }],
  ...change,
});

it('finds what attention makes of its mask, and what is not needed without it', () => {
  expect(maskLengths(graph([]))).toEqual({
    seqlensK: 'lengths',
    total: 'total',
    rank: 0,
    longTotal: null,
    between: ['last', 'ones', 'shape', 'width'],
  });
  expect(maskLengths(graph([], { initializer: [{ name: 'one', dims: [1] }] }))?.rank).toBe(1);
});

it('keeps the total in int64 where others read it, as the choice between two rotary tables does', () => {
  const choice: Node = { opType: 'Greater', input: ['width', 'one'], output: ['long'] };
  expect(maskLengths(graph([choice]))).toMatchObject({ longTotal: 'width', between: ['last', 'ones', 'shape'] });
});

it.each<[string, Node[], Partial<Graph>?]>([
  ['mask', [{ opType: 'Cast', input: ['attention_mask'], output: ['other'] }]],
  ['sum of ones', [{ opType: 'Cast', input: ['ones'], output: ['other'] }]],
  ['last position', [{ opType: 'Cast', input: ['last'], output: ['other'] }]],
  ['shape', [{ opType: 'Gather', input: ['shape', 'zero'], output: ['batch'] }]],
  [
    'mask in a branch',
    [
      {
        opType: 'If',
        input: ['long'],
        output: ['x'],
        attribute: [
          { name: 'then_branch', g: { node: [{ opType: 'Cast', input: ['attention_mask'], output: ['y'] }] } },
        ],
      },
    ],
  ],
  ['width as an output', [], { output: [{ name: 'width' }] }],
])('leaves a graph as it is that reads the %s in another way as well', (_, more, change) => {
  expect(maskLengths(graph(more, change))).toBeNull();
});

it('leaves graphs as they are whose layers have lengths of their own, or other values of the names that inputs would get', () => {
  expect(maskLengths(graph([attention(2, 'other', 'total')]))).toBeNull();
  expect(maskLengths(graph([{ opType: 'Cast', input: ['q'], output: ['seqlens_k'] }]))).toBeNull();
  expect(maskLengths({ node: [{ opType: 'MatMul', input: ['a', 'b'], output: ['logits'] }] })).toBeNull();
});
