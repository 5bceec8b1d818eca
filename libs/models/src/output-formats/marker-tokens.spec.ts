import { describe, expect, it } from 'vitest';
import { openModelFolder } from '../folder/model-folder.ts';
import { tokenTableFromTokenizerJson } from '../tokenizer/token-table.ts';
import { OUTPUT_FORMATS } from './choose-format.ts';
import { markerTokens } from './marker-tokens.ts';

describe('markerTokens', () => {
  it.each([
    ['mistral', ['[TOOL_CALLS]', '[ARGS]', '[THINK]'], ['</s>', '[INST]']],
    ['llama3-json', ['<|python_tag|>'], ['<|eot_id|>', '<|begin_of_text|>']],
    ['deepseek', ['<｜tool▁call▁begin｜>', '<｜tool▁sep｜>', '<think>'], ['<｜end▁of▁sentence｜>', '<｜User｜>']],
    ['gpt-oss', ['<|channel|>', '<|message|>', '<|start|>'], ['<|endoftext|>']],
    ['gemma', ['<|tool_call>', '<|"|>'], ['<bos>']],
    ['deepseek-dsml', ['｜DSML｜'], ['<｜User｜>']],
    ['hermes', ['<tool_call>', '</think>'], ['<|im_end|>', '']],
  ])('of %s are %j and not %j', (name, marks, others) => {
    const isMarker = markerTokens(OUTPUT_FORMATS.get(name)!);
    expect(marks.filter(isMarker)).toEqual(marks);
    expect(others.filter(isMarker)).toEqual([]);
  });

  it('have bytes in the token table, and no other control token has', async () => {
    const folder = await openModelFolder(
      new URL('../../../../test/fixtures/models/tiny-llama', import.meta.url).pathname,
    );
    const { tokenizerJson, vocabularySize } = folder.card({ model: 'tiny', contextLength: 512 });
    const tokenizer = JSON.parse(tokenizerJson);
    const id = vocabularySize - 1;
    tokenizer.added_tokens.push({ id, content: '<|python_tag|>', special: true });
    const isMarker = markerTokens(OUTPUT_FORMATS.get('llama3-json')!);
    const table = tokenTableFromTokenizerJson(JSON.stringify(tokenizer), vocabularySize, isMarker);
    const textOf = (token: number) =>
      Buffer.from(table.bytes.subarray(table.offsets[token], table.offsets[token + 1])).toString();
    const control = [...table.special.keys()].filter((token) => table.special[token]);
    expect(control.length).toBeGreaterThan(1);
    expect(control.map(textOf)).toEqual(control.map((token) => (token === id ? '<|python_tag|>' : '')));
  });
});
