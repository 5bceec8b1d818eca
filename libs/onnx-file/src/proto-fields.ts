/** Protocol buffers' wire types: https://protobuf.dev/programming-guides/encoding/ */
const VARINT = 0;
const EIGHT_BYTES = 1;
const LENGTH_DELIMITED = 2;
const FOUR_BYTES = 5;

/** One field of an encoded message: its number, and where it and its value are in the message's bytes. */
export interface ProtoField {
  readonly number: number;
  /** Whether it is a message, a string or bytes, and no number. */
  readonly hasLength: boolean;
  readonly start: number;
  /** Where the value begins: behind the tag, and behind the length of one that has a length. */
  readonly valueStart: number;
  readonly end: number;
}

/** The fields of an encoded message in order. @throws RangeError where the bytes end too early or are no message */
export function* protoFields(message: Uint8Array): Generator<ProtoField> {
  for (let start = 0; start < message.length; ) {
    const field = protoFieldAt(message, start);
    if (field.end > message.length) throw new RangeError(`a field that ends at byte ${field.end} of ${message.length}`);
    yield field;
    start = field.end;
  }
}

/** The field that begins at a byte, of which the first 20 bytes are enough. @throws RangeError where they are no field */
export function protoFieldAt(bytes: Uint8Array, start: number): ProtoField {
  const tag = varint(bytes, start);
  const wireType = tag.value % 8;
  let valueStart = tag.end;
  let end = tag.end;
  if (wireType === VARINT) end = varint(bytes, tag.end).end;
  else if (wireType === EIGHT_BYTES) end += 8;
  else if (wireType === FOUR_BYTES) end += 4;
  else if (wireType === LENGTH_DELIMITED) {
    const length = varint(bytes, tag.end);
    valueStart = length.end;
    end = length.end + length.value;
  } else throw new RangeError(`wire type ${wireType} at byte ${start}`);
  return { number: Math.floor(tag.value / 8), hasLength: wireType === LENGTH_DELIMITED, start, valueStart, end };
}

/** An encoded field with a length: a message, a string, bytes. */
export function encodedField(number: number, value: Uint8Array): Uint8Array[] {
  return [Uint8Array.from([...encodedVarint(number * 8 + LENGTH_DELIMITED), ...encodedVarint(value.length)]), value];
}

/** An encoded field with a number, which is 0 or more. */
export function encodedNumber(number: number, value: number): Uint8Array {
  return Uint8Array.from([...encodedVarint(number * 8 + VARINT), ...encodedVarint(value)]);
}

/** Exact below 2^53; a longer value (a negative one) is told too large, which its reader here never needs. */
function varint(bytes: Uint8Array, start: number): { value: number; end: number } {
  let value = 0;
  for (let end = start, weight = 1; end < bytes.length; weight *= 128) {
    const byte = bytes[end++] ?? 0;
    value += (byte % 128) * weight;
    if (byte < 128) return { value, end };
  }
  throw new RangeError(`a number without end at byte ${start}`);
}

function encodedVarint(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) + 128);
  }
}
