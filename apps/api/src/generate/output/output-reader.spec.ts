import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { joinEvents, OUTPUT_FORMATS, type OutputEvent } from '#models';
import type { OutputEnd, OutputListener, OutputUsage } from './output-listener.ts';
import { OutputReader } from './output-reader.ts';
import type { OutputReading } from './output-reading.ts';

const hermes = OUTPUT_FORMATS.get('hermes')!;
const READING: OutputReading = {
  requestId: 'request',
  choices: 2,
  tellsTokenIds: false,
  namesTokensByIds: false,
  format: hermes,
  tools: [{ name: 'f' }],
  reasoning: 'marked',
  begun: '',
  wholeCalls: true,
};

function recorder() {
  const parts: OutputEvent[][] = [[], []];
  const tokenIds: number[][] = [[], []];
  const ends: OutputEnd[] = [];
  const usages: OutputUsage[] = [];
  const listener: OutputListener = {
    started: () => {},
    output: (choice, told, { ids }, usage) => {
      parts[choice]!.push(...told);
      tokenIds[choice]!.push(...ids);
      usages.push(usage);
    },
    choiceFinished: (choice, end) => (ends[choice] = end),
    ended: (usage) => usages.push(usage),
    failed: () => {},
  };
  return { listener, parts, tokenIds, ends, usages };
}

/** Feeds the pieces of one choice, each as one token. */
function read(reading: Partial<OutputReading>, pieces: readonly string[], reason: 'stop' | 'length' = 'stop') {
  const record = recorder();
  const reader = new OutputReader({ ...READING, ...reading }, record.listener);
  const usage = { promptTokens: 3, completionTokens: 0, cachedPromptTokens: 0 };
  for (const piece of pieces) {
    usage.completionTokens += 1;
    reader.text(0, piece, { ids: [usage.completionTokens], logprobs: [] }, { ...usage });
  }
  reader.choiceFinished(0, { reason, stopString: null }, { ...usage });
  reader.ended(usage);
  return {
    ...joinEvents(record.parts[0]!),
    end: record.ends[0],
    usage: record.usages.at(-1),
    events: record.parts[0]!,
    tokenIds: record.tokenIds[0]!,
  };
}

const CALL = '<tool_call>{"name": "f", "arguments": {"a": 1}}</tool_call>';

describe('OutputReader', () => {
  it('ends with tool_calls only when there is a whole call', () => {
    expect(read({}, ['Let me see.\n', CALL])).toMatchObject({
      content: 'Let me see.',
      calls: [{ name: 'f', arguments: '{"a": 1}', complete: true }],
      end: { reason: 'tool_calls' },
    });
    for (const text of ['', 'Hello', '<tool_call>', '<tool_call>{"name": "g", "arguments": {}}</tool_call>', '{']) {
      expect(read({}, [text])).toMatchObject({ content: text, calls: [], end: { reason: 'stop' } });
    }
  });

  it('gives a call that the length cuts off as text, or as far as it came where calls are held to their form', () => {
    const cut = CALL.slice(0, -16);
    expect(read({}, [cut], 'length')).toMatchObject({ content: cut, calls: [], end: { reason: 'length' } });
    expect(read({ wholeCalls: false }, [cut], 'length')).toMatchObject({
      calls: [{ name: 'f', arguments: '{"a":', complete: false }],
      end: { reason: 'length' },
    });
    expect(read({ wholeCalls: false }, [cut]).end).toMatchObject({ reason: 'stop' });
    expect(read({}, [CALL, CALL.slice(0, 20)], 'length').end).toMatchObject({ reason: 'length' });
  });

  it('tells what is new of an answer that the prompt has begun, in each choice', () => {
    expect(read({ begun: '<think>\nLet me' }, [' see.', '</think>', ' Yes.'])).toMatchObject({
      reasoning: ' see.',
      content: 'Yes.',
      usage: { completionTokens: 3, reasoningTokens: 2 },
    });
    expect(read({ begun: CALL.slice(0, 20) }, [CALL.slice(20)])).toMatchObject({
      content: '',
      calls: [{ name: 'f', arguments: '{"a": 1}', complete: true }],
      end: { reason: 'tool_calls' },
    });
    expect(read({ begun: `${CALL}\n` }, ['Done.'])).toMatchObject({ content: 'Done.', end: { reason: 'stop' } });
    const record = recorder();
    const reader = new OutputReader({ ...READING, begun: 'The sky <' }, record.listener);
    const usage = { promptTokens: 3, completionTokens: 2, cachedPromptTokens: 0 };
    for (const choice of [0, 1]) reader.text(choice, ` is ${choice}.`, { ids: [choice], logprobs: [] }, usage);
    expect(record.parts.map((parts) => joinEvents(parts).content)).toEqual([' is 0.', ' is 1.']);
  });

  it('tells the id of every token where they are asked for, also of what is held back and of the end', () => {
    const pieces = [
      '<think>',
      'Hm',
      '</think>',
      'Yes',
      ' <tool',
      '_call>',
      '{"name": "f", "arguments": {}}',
      '</tool_call>',
      '',
    ];
    const ids = pieces.map((_, index) => index + 1);
    expect(read({ tellsTokenIds: true }, pieces)).toMatchObject({ tokenIds: ids, end: { reason: 'tool_calls' } });
    expect(read({ tellsTokenIds: true, tools: null, reasoning: 'off' }, ['a', '', 'b']).tokenIds).toEqual([1, 2, 3]);
    expect(read({}, pieces).tokenIds).toEqual([]);
  });

  it('keeps reasoning apart and counts its tokens, with those of its marks', () => {
    expect(read({}, ['<think>', 'Hm', '.', '</think>', '\n\n', 'Yes.'])).toMatchObject({
      reasoning: 'Hm.',
      content: 'Yes.',
      usage: { completionTokens: 6, reasoningTokens: 4 },
    });
    expect(read({ reasoning: 'opened' }, ['Hm', '.', '</think>', 'Yes.'])).toMatchObject({
      reasoning: 'Hm.',
      content: 'Yes.',
      usage: { reasoningTokens: 3 },
    });
    expect(read({ reasoning: 'opened' }, ['Hm', '.'], 'length')).toMatchObject({
      reasoning: 'Hm.',
      content: '',
      end: { reason: 'length' },
      usage: { reasoningTokens: 2 },
    });
  });

  it('takes nothing for a call or for reasoning where the request has none', () => {
    const text = `<think>a</think> b ${CALL}\n `;
    expect(read({ tools: null, reasoning: 'off' }, [text])).toMatchObject({ content: text, reasoning: '', calls: [] });
    expect(read({ tools: null }, [text])).toMatchObject({ content: `b ${CALL}\n `, reasoning: 'a', calls: [] });
  });

  it('tells what it tells however the text falls into pieces, with the same ids', () => {
    const texts = fc.constantFrom(
      `<think>a\nb</think>\nFirst.\n${CALL}\n${CALL}`,
      `${CALL}<tool_call>{"name": "f", "arguments": {"é": "\\u00e9 </tool_call>"}}</tool_call> rest`,
      '<tool_call>{"name": "f", "arguments": {"a": ]}}</tool_call>',
      '<think>never closed <tool_call>',
    );
    fc.assert(
      fc.property(
        texts,
        fc.boolean(),
        fc.infiniteStream(fc.integer({ min: 1, max: 9 })),
        (text, wholeCalls, lengths) => {
          const pieces: string[] = [];
          for (let from = 0; from < text.length; ) {
            const to = from + lengths.next().value;
            pieces.push(text.slice(from, to));
            from = to;
          }
          const whole = read({ wholeCalls }, [text]);
          const cut = read({ wholeCalls }, pieces);
          expect({ ...cut, events: null, usage: null }).toEqual({ ...whole, events: null, usage: null });
        },
      ),
    );
  });
});
