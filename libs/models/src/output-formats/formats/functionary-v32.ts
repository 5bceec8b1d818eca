import { MalformedCall } from '../malformed-call.ts';
import type { CallReading, OutputFormat } from '../output-format.ts';
import { matchedName, readNamedJsonCall } from '../readers/named-json-call.ts';
import type { Reading } from '../text-source.ts';

const SEPARATOR = '>>>';
const HEAD = /^\s*([^\s<>]+)\s*$/;

/** Functionary 3.2: recipients, each with a line of its own: `all\ntext>>>f\n{…}`; the prompt ended with the first `>>>`. */
export const functionaryV32: OutputFormat = {
  name: 'functionary-v3.2',
  openings: [SEPARATOR],
  surroundings: [],
  readCalls: (reading) => readNamedJsonCall(reading, (head) => matchedName(head, HEAD)),
  readOutput,
};

function* readOutput(reading: CallReading): Reading {
  const { source, sink } = reading;
  let begun = false;
  while ((yield* source.peek()) !== '') {
    source.hold();
    if (begun) yield* source.skip(SEPARATOR);
    begun = true;
    if ((yield* source.skip('all\n')) === null) {
      try {
        yield* readNamedJsonCall(reading, (head) => matchedName(head, HEAD));
        sink.pendingSpace(yield* source.skipSpace());
      } catch (error) {
        if (!(error instanceof MalformedCall)) throw error;
        sink.abandonCall();
      }
    }
    while ((yield* source.match([SEPARATOR])) === null && (yield* source.peek()) !== '') {
      sink.content(yield* source.take());
      source.hold();
    }
  }
}
