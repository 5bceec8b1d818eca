/** Field numbers of onnx.proto: of ModelProto the first ones, of GraphProto those from NODE on, of TensorProto those from TENSOR_NAME on. */
export const IR_VERSION = 1;
export const GRAPH = 7;
export const OPSET_IMPORT = 8;
export const FUNCTION = 25;
export const NODE = 1;
export const GRAPH_NAME = 2;
export const INITIALIZER = 5;
export const INPUT = 11;
export const OUTPUT = 12;
export const TENSOR_NAME = 8;
export const RAW_DATA = 9;
export const EXTERNAL_DATA = 13;
export const DATA_LOCATION = 14;
