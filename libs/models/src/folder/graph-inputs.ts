import { open } from 'node:fs/promises';
import { ProtoFileReader } from './proto-file-reader.ts';

// Field numbers of onnx.proto3.
const MODEL_GRAPH = 7;
const GRAPH_INPUT = 11;
const VALUE_NAME = 1;

/** Names of an ONNX model's inputs. @throws RangeError when the file is no ONNX model or ends too early */
export async function graphInputs(modelFile: string): Promise<string[]> {
  await using file = await open(modelFile);
  const reader = new ProtoFileReader(file, (await file.stat()).size);
  const names: string[] = [];
  for await (const graph of messages(reader, MODEL_GRAPH, 0, reader.fileBytes))
    for await (const input of messages(reader, GRAPH_INPUT, ...graph))
      for await (const [start, end] of messages(reader, VALUE_NAME, ...input))
        names.push(await reader.text(start, end));
  return names;
}

/** Where the fields of this number are that have a length. */
async function* messages(reader: ProtoFileReader, number: number, start: number, end: number) {
  for await (const field of reader.fields(start, end))
    if (field.number === number && 'start' in field) yield [field.start, field.end] as const;
}
