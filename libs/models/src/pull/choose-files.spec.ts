import { expect, it } from 'vitest';
import { chooseFiles } from './choose-files.ts';

const checksum = { kind: 'sha256', hex: '' } as const;
const chosen = (variant: string, ...paths: string[]) => {
  const files = paths.map((path) => ({ path, bytes: 1, checksum }));
  return chooseFiles('owner/name', files, variant, '').map(({ file, path }) => [file.path, path]);
};

it('takes the decoder of older repositories, whose name says that it is merged', () => {
  const paths = [
    'onnx/decoder_model.onnx',
    'onnx/decoder_model_merged.onnx',
    'onnx/decoder_model_merged_quantized.onnx',
  ];
  expect(chosen('', ...paths)).toEqual([['onnx/decoder_model_merged.onnx', 'onnx/model.onnx']]);
  expect(chosen('quantized', ...paths)).toEqual([['onnx/decoder_model_merged_quantized.onnx', 'onnx/model.onnx']]);
  expect(chosen('', 'onnx/model.onnx', ...paths)).toEqual([['onnx/model.onnx', 'onnx/model.onnx']]);
});

it("takes transformers.js' names of variants for files that are named otherwise", () => {
  const paths = ['onnx/model.onnx', 'onnx/model_quantized.onnx', 'onnx/model_q4f16.onnx'];
  expect(chosen('q8', ...paths)).toEqual([['onnx/model_quantized.onnx', 'onnx/model.onnx']]);
  expect(chosen('fp32', ...paths)).toEqual([['onnx/model.onnx', 'onnx/model.onnx']]);
  expect(chosen('q8', 'onnx/model_q8.onnx', ...paths)).toEqual([['onnx/model_q8.onnx', 'onnx/model.onnx']]);
  expect(() => chosen('q2', ...paths)).toThrow(/it has no onnx\/model_q2\.onnx/);
});
