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

it('takes the embeddings of a decoder in two graphs, with the weights of both, and no encoders', () => {
  const paths = ['', '_fp16', '_q4', '_quantized'].flatMap((precision) => [
    `onnx/decoder_model_merged${precision}.onnx`,
    `onnx/decoder_model_merged${precision}.onnx_data`,
    `onnx/decoder_model_merged${precision}.onnx_data_1`,
    `onnx/vision_encoder${precision}.onnx`,
  ]);
  const embeddings = [
    'onnx/embed_tokens_fp16.onnx',
    'onnx/embed_tokens_fp16.onnx_data',
    'onnx/embed_tokens_quantized.onnx',
  ];
  const weights = (variant: string) =>
    ['_data', '_data_1'].map((part) => {
      const path = `onnx/decoder_model_merged${variant}.onnx${part}`;
      return [path, path];
    });
  expect(chosen('q4', 'chat_template.json', ...paths, ...embeddings)).toEqual([
    ['chat_template.json', 'chat_template.json'],
    ['onnx/decoder_model_merged_q4.onnx', 'onnx/model.onnx'],
    ...weights('_q4'),
    ['onnx/embed_tokens_fp16.onnx', 'onnx/embed_tokens.onnx'],
    ['onnx/embed_tokens_fp16.onnx_data', 'onnx/embed_tokens_fp16.onnx_data'],
  ]);
  expect(chosen('q8', ...paths, ...embeddings)).toEqual([
    ['onnx/decoder_model_merged_quantized.onnx', 'onnx/model.onnx'],
    ...weights('_quantized'),
    ['onnx/embed_tokens_quantized.onnx', 'onnx/embed_tokens.onnx'],
  ]);
  expect(() => chosen('q4', ...paths, 'onnx/embed_tokens_a.onnx', 'onnx/embed_tokens_b.onnx')).toThrow(
    /of embed_tokens_a\.onnx, embed_tokens_b\.onnx the names do not tell/,
  );
});

it("takes transformers.js' names of variants for files that are named otherwise", () => {
  const paths = ['onnx/model.onnx', 'onnx/model_quantized.onnx', 'onnx/model_q4f16.onnx'];
  expect(chosen('q8', ...paths)).toEqual([['onnx/model_quantized.onnx', 'onnx/model.onnx']]);
  expect(chosen('fp32', ...paths)).toEqual([['onnx/model.onnx', 'onnx/model.onnx']]);
  expect(chosen('q8', 'onnx/model_q8.onnx', ...paths)).toEqual([['onnx/model_q8.onnx', 'onnx/model.onnx']]);
  expect(() => chosen('q2', ...paths)).toThrow(/it has no onnx\/model_q2\.onnx/);
});
