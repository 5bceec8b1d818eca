import { MalformedCall } from '../malformed-call.ts';
import type { CallReading, OutputFormat } from '../output-format.ts';
import { readJsonValue } from '../readers/json-reader.ts';
import type { Reading } from '../text-source.ts';

const HEAD_MARKS = ['<|start|>', '<|channel|>'];
const ENDS = ['<|end|>', '<|return|>', '<|call|>'];
const MESSAGE = '<|message|>';
const MAX_HEAD_LENGTH = 512;
/** What the rest of a head begins with where the prompt has written the role. */
const RECIPIENT = ['to=', ' to='];
/** Tools of OpenAI's own, which no request has. */
const BUILT_IN = /^(?:python|browser|container)(?:\.|$)/;
const HEAD = /^(?:<\|(?:start|channel|constrain)\|>|assistant|analysis|commentary|final|json|code|to=[^\s<]+|\s)*$/;

/**
 * gpt-oss (Harmony): messages on channels. `analysis` is reasoning, `final` and `commentary` are content, and what is
 * written `to=functions.f` is a call. Messages to tools that the model was trained with (`to=python`) are for nobody here.
 */
export const gptOss: OutputFormat = {
  name: 'gpt-oss',
  openings: HEAD_MARKS,
  innerMarks: [MESSAGE, '<|constrain|>'],
  surroundings: ENDS,
  readCalls: readMessage,
  readOutput,
};

function* readOutput(reading: CallReading): Reading {
  const { source, sink } = reading;
  let heads = [...HEAD_MARKS, ...RECIPIENT];
  while ((yield* source.peek()) !== '') {
    source.hold();
    const isHead = (yield* source.match(heads)) !== null;
    heads = HEAD_MARKS;
    if (isHead) {
      try {
        yield* readMessage(reading);
      } catch (error) {
        if (!(error instanceof MalformedCall)) throw error;
        sink.abandonCall();
        yield* readBody(reading, (text) => sink.content(text));
      }
    } else {
      yield* readBody(reading, (text) => sink.content(text));
    }
  }
}

function* readMessage(reading: CallReading): Reading {
  const { source, sink } = reading;
  const head = yield* source.takeUntil([MESSAGE, ...ENDS, '{'], MAX_HEAD_LENGTH);
  yield* source.expect(MESSAGE);
  if (!HEAD.test(head)) throw new MalformedCall('no head of a message');
  const recipient = head.match(/(?:^|\s)to=([^\s<]+)/)?.[1] ?? '';
  if (recipient.startsWith('functions.')) {
    yield* source.skipSpace();
    if ((yield* source.peek()) !== '{') throw new MalformedCall('arguments that are no object');
    sink.startCall(recipient.slice('functions.'.length));
    yield* readJsonValue(source, (text) => sink.argumentText(text));
    sink.endCall();
    yield* source.skipSpace();
    yield* source.skip(...ENDS);
    source.hold();
    return;
  }
  const channel = [...head.matchAll(/<\|channel\|>\s*(\w+)/g)].at(-1)?.[1];
  if (BUILT_IN.test(recipient)) {
    yield* readBody(reading, () => {});
    return;
  }
  sink.inReasoning = channel === 'analysis';
  yield* readBody(reading, (text) => (sink.inReasoning ? sink.reasoning(text) : sink.content(text)));
  sink.inReasoning = false;
}

/** A message's text up to its end mark, which is consumed, or up to the next message's head. */
function* readBody({ source }: CallReading, pieces: (text: string) => void): Reading {
  for (;;) {
    source.hold();
    if ((yield* source.peek()) === '' || (yield* source.skip(...ENDS)) !== null) break;
    if ((yield* source.match(HEAD_MARKS)) !== null) break;
    pieces(yield* source.take());
  }
  source.hold();
}
