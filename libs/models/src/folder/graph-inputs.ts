import { FileFields, GRAPH, INPUT } from '#onnx-file';

/** Of ValueInfoProto. */
const VALUE_NAME = 1;

/** Names of an ONNX model's inputs. @throws RangeError when the file is no ONNX model or ends too early */
export async function graphInputs(modelFile: string): Promise<string[]> {
  await using fields = await FileFields.open(modelFile);
  const names: string[] = [];
  for await (const graph of fields.numbered(GRAPH))
    for await (const input of fields.numbered(INPUT, graph))
      for await (const name of fields.numbered(VALUE_NAME, input)) names.push(await fields.text(name));
  return names;
}
