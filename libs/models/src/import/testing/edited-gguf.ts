import { readFile, writeFile } from 'node:fs/promises';
import { type GgufValue, parseGgufHeader } from '../gguf/gguf-header.ts';

const ALIGNMENT = 32;
const TYPES = { u32: 4, i32: 5, f32: 6, boolean: 7, string: 8, list: 9, u64: 10 } as const;

type Bytes = Buffer<ArrayBufferLike>;

export interface EditedTensor {
  name: string;
  dimensions: number[];
  typeNumber: number;
  data: Bytes;
}

export interface EditableGguf {
  readonly metadata: Map<string, GgufValue>;
  tensors: EditedTensor[];
}

/** Writes `source` as tests want it: metadata and tensors changed, everything else in its place. */
export async function editGguf(source: string, target: string, edit: (gguf: EditableGguf) => void): Promise<string> {
  const bytes = await readFile(source);
  const header = parseGgufHeader(source, bytes, bytes.length);
  const ends = [...header.tensors.map(({ offset }) => offset), bytes.length - header.dataStart].sort((a, b) => a - b);
  const tensors = header.tensors.map(({ name, dimensions, typeNumber, offset }) => {
    const end = ends.find((other) => other > offset) ?? offset;
    const data = bytes.subarray(header.dataStart + offset, header.dataStart + end);
    return { name, dimensions: [...dimensions], typeNumber, data };
  });
  const gguf: EditableGguf = { metadata: new Map(header.metadata), tensors };
  edit(gguf);
  await writeFile(target, encoded(gguf));
  return target;
}

function encoded({ metadata, tensors }: EditableGguf): Bytes {
  const parts: Bytes[] = [Buffer.from('GGUF'), u32(3), u64(tensors.length), u64(metadata.size)];
  for (const [name, value] of metadata) parts.push(text(name), u32(typeOf(value)), valueBytes(value));
  let offset = 0;
  const data: Bytes[] = [];
  for (const tensor of tensors) {
    parts.push(text(tensor.name), u32(tensor.dimensions.length), ...tensor.dimensions.map(u64));
    parts.push(u32(tensor.typeNumber), u64(offset));
    data.push(padded(tensor.data));
    offset += data.at(-1)?.length ?? 0;
  }
  return Buffer.concat([padded(Buffer.concat(parts)), ...data]);
}

function typeOf(value: GgufValue | undefined): number {
  if (typeof value === 'string') return TYPES.string;
  if (typeof value === 'boolean') return TYPES.boolean;
  if (typeof value === 'bigint') return TYPES.u64;
  if (typeof value === 'number') return Number.isInteger(value) ? (value < 0 ? TYPES.i32 : TYPES.u32) : TYPES.f32;
  return TYPES.list;
}

function valueBytes(value: GgufValue): Bytes {
  switch (typeof value) {
    case 'string':
      return text(value);
    case 'boolean':
      return Buffer.of(value ? 1 : 0);
    case 'bigint':
      return u64(value);
    case 'number':
      return Number.isInteger(value) ? u32(value) : Buffer.from(Float32Array.of(value).buffer);
    default: {
      const mixed = value.find((entry) => typeof entry === 'number' && !Number.isInteger(entry));
      const floats = mixed !== undefined;
      const type = floats ? TYPES.f32 : typeOf(value[0]);
      const bytes = value.map((entry) =>
        floats ? Buffer.from(Float32Array.of(Number(entry)).buffer) : valueBytes(entry),
      );
      return Buffer.concat([u32(type), u64(value.length), ...bytes]);
    }
  }
}

const u32 = (value: number) => Buffer.from(Uint32Array.of(value).buffer);
const u64 = (value: number | bigint) => Buffer.from(BigUint64Array.of(BigInt(value)).buffer);
const text = (value: string) => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);

function padded(bytes: Bytes): Bytes {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & (ALIGNMENT - 1))]);
}
