import { MalformedCall } from '../malformed-call.ts';
import type { CallReading } from '../output-format.ts';
import type { Reading } from '../text-source.ts';
import { readGemmaValue } from './gemma-value.ts';

const MAX_NAME_LENGTH = 256;

/** A call as the Gemma families write it, behind `call:`; see `readGemmaValue`. @throws MalformedCall */
export function* readGemmaCall({ source, sink }: CallReading, quote: string): Reading {
  const name = yield* source.takeUntil(['{', '<'], MAX_NAME_LENGTH);
  if ((yield* source.peek()) === '<') throw new MalformedCall('a mark in a name');
  if (name.trim() === '') throw new MalformedCall('a call without a name');
  sink.startCall(name.trim());
  yield* readGemmaValue(source, quote, (text) => sink.argumentText(text));
  sink.endCall();
}
