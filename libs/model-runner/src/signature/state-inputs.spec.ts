import { describe, expect, it } from 'vitest';
import { sideInputs } from './side-inputs.ts';
import { stateBytesOf, stateInputs } from './state-inputs.ts';

const FLOAT32 = 1;
const FLOAT16 = 10;
const BFLOAT16 = 16;

function value(name: string, dims: readonly (number | string)[], elemType = FLOAT32) {
  const dim = dims.map((size) => (typeof size === 'number' ? { dimValue: size } : { dimParam: size }));
  return { name, type: { tensorType: { elemType, shape: { dim } } } };
}

const statesOf = (inputs: ReturnType<typeof value>[]) =>
  stateInputs(
    'model.onnx',
    inputs,
    inputs.map(({ name }) => ({ name: name.replace('past', 'present') })),
  );

describe('stateInputs', () => {
  it('knows states by the names that exporters give them, in the order of the graph', () => {
    const states = statesOf([
      value('past_key_values.1.key', ['batch', 2, 'past', 16]),
      value('past.0.conv', ['batch', 32, 2]),
      value('past.0.recurrent', ['batch', 4, 16, 8]),
      value('past_conv.2', ['batch', 32, 3], FLOAT16),
      value('past_ssm.2', ['batch', 4, 16, 8]),
      value('past_recurrent.3', ['batch', 4, 16, 8]),
      value('past_conv.3.query', ['batch', 32, 3]),
    ]);
    expect(states.map(({ past, present }) => [past, present])).toEqual([
      ['past.0.conv', 'present.0.conv'],
      ['past.0.recurrent', 'present.0.recurrent'],
      ['past_conv.2', 'present_conv.2'],
      ['past_ssm.2', 'present_ssm.2'],
      ['past_recurrent.3', 'present_recurrent.3'],
      ['past_conv.3.query', 'present_conv.3.query'],
    ]);
    expect(states[1]).toMatchObject({ sizes: [4, 16, 8], type: 'float32' });
    expect(stateBytesOf(states)).toBe(4 * (64 + 512) + 2 * 96 + 4 * (512 + 512 + 96));
  });

  it('refuses those that it can not keep, with their name, shape and remedy', () => {
    expect(() => statesOf([value('past.0.conv', ['batch', 32, 'window'])])).toThrow(
      /"past.0.conv" is \[batch, 32, window\]; it must be \[batch, sizes…\] with fixed sizes/,
    );
    // As the builder's `state_window` makes them.
    expect(() => statesOf([value('past.0.recurrent', [4, 'batch', 2, 16, 8])])).toThrow(
      /"past.0.recurrent" is \[4, batch, 2, 16, 8\].*without a window of states/,
    );
    expect(() => statesOf([value('past.0.conv', ['batch'])])).toThrow(/"past.0.conv" is \[batch\]/);
    expect(() => statesOf([value('past_ssm.1', ['batch', 8], BFLOAT16)])).toThrow(
      /"past_ssm.1" is bfloat16; export its states in float32 or float16/,
    );
    expect(() => stateInputs('model.onnx', [value('past_ssm.1', ['batch', 8])], [])).toThrow(
      /output "present_ssm.1" is missing/,
    );
  });
});

it('refuses other kinds of memory with the names that are known', () => {
  expect(() => sideInputs('model.onnx', [value('past_compressor.0.kv', ['batch', 'blocks', 64])])).toThrow(
    /input "past_compressor.0.kv" \[batch, blocks, 64\] is not known.*past_conv, past_ssm, past_recurrent.*onnxruntime-genai's builder/,
  );
});
