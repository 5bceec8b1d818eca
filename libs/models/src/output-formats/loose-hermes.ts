import type { CallReading, OutputFormat } from './output-format.ts';
import type { Reading } from './text-source.ts';

const FENCE = '```json';
const HERMES = ['hermes', 'generic', 'ernie', 'exaone-deep'];

/**
 * The Hermes form with what models write in its place where nothing holds them to it, Qwen 2.5 Coder and small models above all: the
 * object alone as the whole answer, in a code fence, or between `<tools>`. Other forms stay as they are.
 */
export function withLooseCalls(format: OutputFormat): OutputFormat {
  if (!HERMES.includes(format.name)) return format;
  return {
    ...format,
    openings: [...format.openings, '<tools>', FENCE],
    surroundings: [...format.surroundings, '</tools>'],
    bareStarts: '{',
    readCalls: (reading) => (reading.opening === FENCE ? readFenced(format, reading) : format.readCalls(reading)),
  };
}

/** The end of the fence belongs to the calls, too. */
function* readFenced(format: OutputFormat, reading: CallReading): Reading {
  yield* format.readCalls(reading);
  if ((yield* reading.source.skip('```')) !== null) reading.source.hold();
}
