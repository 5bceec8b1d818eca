/**
 * Fields of ONNX files (protocol buffers): read where they are, so that weights among them cost nothing, and written.
 *
 * @module
 * @example
 * import { FileFields, GRAPH, NODE } from '#onnx-file';
 * await using fields = await FileFields.open('models/smollm2-135m-instruct/model.onnx');
 * let nodes = 0;
 * for await (const graph of fields.numbered(GRAPH))
 *   for await (const _ of fields.numbered(NODE, graph)) nodes += 1;
 */
export { FileFields } from './file-fields.ts';
export {
  DATA_LOCATION,
  EXTERNAL_DATA,
  FUNCTION,
  GRAPH,
  GRAPH_NAME,
  INITIALIZER,
  INPUT,
  IR_VERSION,
  NODE,
  OPSET_IMPORT,
  OUTPUT,
  RAW_DATA,
  TENSOR_NAME,
} from './onnx-fields.ts';
export { encodedField, encodedNumber, type ProtoField, protoFields } from './proto-fields.ts';
