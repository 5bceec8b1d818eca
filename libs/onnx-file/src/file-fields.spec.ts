import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileFields } from './file-fields.ts';
import { encodedField, encodedNumber } from './proto-fields.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'file-fields-'));
});
afterAll(() => rm(folder, { recursive: true }));

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

async function opened(...parts: readonly Uint8Array[]): Promise<FileFields> {
  const file = join(folder, 'message');
  await writeFile(file, Buffer.concat(parts));
  return FileFields.open(file);
}

/** Number of each field, and how many bytes its value has. */
async function fieldsOf(...parts: readonly Uint8Array[]): Promise<(readonly [number, number])[]> {
  await using fields = await opened(...parts);
  const found: (readonly [number, number])[] = [];
  for await (const { number, valueStart, end } of fields.fields()) found.push([number, end - valueStart]);
  return found;
}

describe('FileFields', () => {
  it('finds fields of each wire type, and values longer than what is read at once', async () => {
    const eightBytes = Uint8Array.of(3 * 8 + 1, ...new Uint8Array(8));
    const fourBytes = Uint8Array.of(4 * 8 + 5, ...new Uint8Array(4));
    const long = encodedField(200, new Uint8Array(100_000));
    expect(
      await fieldsOf(encodedNumber(1, 300), eightBytes, ...long, fourBytes, ...encodedField(2, bytesOf('ä'))),
    ).toEqual([
      [1, 2],
      [3, 8],
      [200, 100_000],
      [4, 4],
      [2, 2],
    ]);
    expect(await fieldsOf()).toEqual([]);
  });

  it('gives the strings of messages in messages, and passes over numbers where a message should be', async () => {
    const inner = (text: string) => encodedField(7, Buffer.concat(encodedField(1, bytesOf(text))));
    await using fields = await opened(...inner('first'), encodedNumber(7, 10), ...inner('zweite ä'));
    const texts: string[] = [];
    for await (const message of fields.numbered(7))
      for await (const text of fields.numbered(1, message)) texts.push(await fields.text(text));
    expect(texts).toEqual(['first', 'zweite ä']);
  });

  it('refuses what ends too early, or is no message', async () => {
    const cut = Buffer.concat(encodedField(2, new Uint8Array(100))).subarray(0, 50);
    await expect(fieldsOf(cut)).rejects.toThrow('a field that ends at byte 102 of 50');
    await expect(fieldsOf(Uint8Array.of(2 * 8 + 5, 0))).rejects.toThrow(RangeError);
    await expect(fieldsOf(Uint8Array.of(2 * 8 + 3))).rejects.toThrow('wire type 3');
    await expect(fieldsOf(new Uint8Array(30).fill(255))).rejects.toThrow('a number without end');
    const inner = Buffer.concat([encodedNumber(1, 1), Uint8Array.of(2 * 8 + 2, 40)]);
    await using fields = await opened(...encodedField(7, inner), new Uint8Array(100));
    const read = async () => {
      for await (const message of fields.numbered(7)) for await (const _ of fields.fields(message));
    };
    await expect(read()).rejects.toThrow(RangeError);
  });
});
