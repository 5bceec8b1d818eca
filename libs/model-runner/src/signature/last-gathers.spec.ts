import { expect, it } from 'vitest';
import { lastGathers } from './last-gathers.ts';

const INT = 2;
const node = (opType: string, input: string[], output: string) => ({ opType, input, output: [output] });

function graphWith(...more: ReturnType<typeof node>[]) {
  return {
    node: [
      node('Shape', ['input_ids'], 'ids_shape'),
      node('Gather', ['ids_shape', 'one'], 'sequence'),
      node('GroupQueryAttention', ['q', 'k', 'v', 'past', 'past', 'seqlens_k', 'total'], 'attended'),
      node('Sub', ['seqlens_k', 'sequence'], 'above'),
      node('Reshape', ['above', 'last_index_shape'], 'index'),
      { ...node('GatherND', ['attended', 'index'], 'kept'), attribute: [{ name: 'batch_dims', i: 1, type: INT }] },
      ...more,
      node('MatMul', ['kept', 'head'], 'logits'),
    ],
    output: [{ name: 'logits' }],
  };
}

it('finds the nodes that take the last position by its length, and what makes indices for them alone', () => {
  const found = lastGathers(graphWith());
  expect(found?.outputs).toEqual(['kept']);
  expect([...(found?.between ?? [])].sort()).toEqual(['above', 'ids_shape', 'index', 'sequence']);
});

it('leaves what others read too', () => {
  const found = lastGathers(
    graphWith(node('Cast', ['sequence'], 'many_tokens'), node('If', ['many_tokens'], 'either')),
  );
  expect([...(found?.between ?? [])].sort()).toEqual(['above', 'index']);
});

it('finds none where a graph does it in another way', () => {
  const graph = graphWith();
  expect(lastGathers({ ...graph, node: graph.node.filter(({ opType }) => opType !== 'Reshape') })).toBeNull();
});
