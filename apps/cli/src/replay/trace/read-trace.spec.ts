import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readTrace } from './read-trace.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-trace-'));
const file = join(folder, 'trace');
afterAll(() => rmSync(folder, { recursive: true }));

const ALL = { fromMs: 0, forMs: Number.POSITIVE_INFINITY, mostRequests: Number.POSITIVE_INFINITY };
const read = (lines: readonly string[], window = {}) => {
  writeFileSync(file, lines.join('\n'));
  return readTrace(file, { ...ALL, ...window });
};

const AZURE = [
  'TIMESTAMP,ContextTokens,GeneratedTokens',
  '2023-11-16 18:15:46.6805900,374,44',
  '2023-11-16 18:15:50.9951690,396,109',
  '2023-11-16 18:16:00.0000000,10,3',
];
const AZURE_2024 = ['TIMESTAMP,ContextTokens,GeneratedTokens', '2024-05-10 00:00:00.009930+00:00,2162,5'];
const BURST_GPT = [
  '\uFEFFTimestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type',
  '5,,1.2,ChatGPT,472,18,490,Conversation log',
  '45.5,,1.2,ChatGPT,1087,0,1087,Conversation log',
  '118,,1.2,GPT-4,417,276,693,Conversation log',
];
const MOONCAKE = [
  '{"timestamp": 27, "input_length": 600, "output_length": 52, "hash_ids": [46, 47]}',
  '{"timestamp": 30, "input_length": 700, "output_length": 26, "hash_ids": [46, 48]}',
  '',
  '{"timestamp": 29, "input_length": 5, "output_length": 1}',
];

describe('readTrace', () => {
  it.each([
    ['Azure LLM inference', AZURE, [0, 4_314.579, 13_319.41]],
    ['Azure LLM inference', AZURE_2024, [0]],
    ['BurstGPT', BURST_GPT, [0, 113_000]],
    ['Mooncake', MOONCAKE, [0, 2, 3]],
  ])('knows a trace of %s by its first line', async (format, lines, atMs) => {
    const trace = await read(lines);
    expect(trace.format).toBe(format);
    expect(trace.requests.map((request) => Math.round(request.atMs * 1_000) / 1_000)).toEqual(atMs);
  });

  it('reads lengths, and which parts prompts share', async () => {
    expect((await read(AZURE)).requests[1]).toMatchObject({ promptTokens: 396, answerTokens: 109, blocks: [] });
    const [first, last, second] = (await read(MOONCAKE)).requests;
    expect(first).toEqual({ atMs: 0, promptTokens: 600, answerTokens: 52, blocks: [46, 47] });
    expect([second?.blocks, last?.blocks]).toEqual([[46, 48], []]);
  });

  it('counts requests that have no answer, and leaves them out', async () => {
    expect(await read(BURST_GPT)).toMatchObject({ empty: 1, requests: [{ promptTokens: 472 }, { promptTokens: 417 }] });
  });

  it('takes the window that is wanted, and reads no further', async () => {
    const broken = [...AZURE, 'nonsense'];
    const window = { fromMs: 1_000, forMs: 5_000 };
    expect((await read(broken, window)).requests).toMatchObject([{ promptTokens: 396 }]);
    expect((await read(broken, { mostRequests: 2 })).requests).toMatchObject([{ atMs: 0 }, { promptTokens: 396 }]);
    await expect(read(AZURE, { fromMs: 60_000 })).rejects.toThrow(
      /No request lies from 60 s on\. Choose another --from/,
    );
  });

  it.each([
    [
      'a time',
      [AZURE[0], '2023-13-16 18:15:46.6,374,44'],
      /trace:2: "TIMESTAMP" is "2023-13-16 18:15:46.6".*Mend the line/,
    ],
    [
      'a count',
      [AZURE[0], AZURE[1], '2023-11-16 18:15:46.6,3x4,44'],
      /trace:3: "ContextTokens" is "3x4", and has to be a whole number/,
    ],
    ['an empty cell', [AZURE[0], '2023-11-16 18:15:46.6,,44'], /trace:2: "ContextTokens" is ""/],
    ['too few cells', [AZURE[0], '2023-11-16 18:15:46.6,374'], /trace:2: 2 values stand under the header's 3 columns/],
    ['a negative time', [BURST_GPT[0], '-5,,1,a,4,1,5,b'], /trace:2: "Timestamp" is "-5"/],
    ['a missing field', [MOONCAKE[0], '{"timestamp": 1}'], /trace:2: "input_length" is missing/],
    ['a fraction', [MOONCAKE[0], '{"timestamp": 1, "input_length": 1.5}'], /trace:2: "input_length" is 1.5/],
    ['names of blocks', [MOONCAKE[1], `${MOONCAKE[0]}`.replace('46', '"46"')], /trace:2: "hash_ids" is \["46",47\]/],
    ['half an object', [MOONCAKE[0], '{"timestamp"'], /trace:2: The line is no JSON: "\{/],
    ['a list', [MOONCAKE[0], '[1]'], /trace:2: The line is no JSON object/],
    [
      'another file',
      ['hello, world'],
      /trace:1: "hello, world" begins no trace that is known\. Give one of: Azure.*BurstGPT.*Mooncake/,
    ],
    ['an empty file', [''], /is empty/],
  ])('names file, line, field and value of %s that can not be', async (_, lines, message) => {
    await expect(read(lines.map(String))).rejects.toThrow(message);
  });

  it('says that a file is not there', async () => {
    await expect(readTrace(join(folder, 'none'), ALL)).rejects.toThrow(/none: The file can not be read \(ENOENT/);
  });
});
