import { JSON_SPELLING } from '../spelling.ts';
import type { CallList, CallShape, CallStyle, LooseText } from './call-style.ts';

const OBJECT: CallShape = { kind: 'object', name: 'name', arguments: 'arguments' };

const hermesList = (open: string, close: string): CallList => ({
  mark: open,
  open: '␤',
  call: OBJECT,
  separator: `␤${close}␤${open}␤`,
  close: `␤${close}`,
});
const HERMES: CallStyle = { spelling: JSON_SPELLING, lists: [hermesList('<tool_call>', '</tool_call>')] };

/** A list of JSON objects behind a mark. */
export const jsonList = (mark: string, close: LooseText): CallList => ({
  mark,
  open: mark.endsWith('[') ? '' : '␤[',
  call: OBJECT,
  separator: ',␠',
  close: `]${close}`,
});

const llamaList = (mark: string): CallList => ({
  mark,
  open: '',
  call: { kind: 'object', name: 'name', arguments: 'parameters' },
  separator: ';␠',
  close: '',
});

const GRANITE: CallStyle = {
  spelling: JSON_SPELLING,
  lists: [jsonList('<|tool_call|>', ''), jsonList('<tool_call>', '')],
};

/** Families that write a call as a JSON object with its name in it. */
export const OBJECT_STYLES: Readonly<Record<string, CallStyle>> = {
  hermes: HERMES,
  generic: HERMES,
  ernie: HERMES,
  'exaone-deep': HERMES,
  'llama3-json': { spelling: JSON_SPELLING, lists: [{ ...llamaList(''), bare: true }, llamaList('<|python_tag|>')] },
  cohere: {
    spelling: JSON_SPELLING,
    lists: [
      {
        mark: '<|START_ACTION|>',
        open: '[␤␣',
        call: { kind: 'object', name: 'tool_name', arguments: 'parameters', before: '"tool_call_id": "№", ' },
        separator: ',␠␤␣',
        close: '␤]<|END_ACTION|>',
      },
    ],
  },
  granite: GRANITE,
  'granite-3.2': GRANITE,
  hunyuan: { spelling: JSON_SPELLING, lists: [jsonList('<tool_calls>', '␤</tool_calls>')] },
  'json-list': {
    spelling: JSON_SPELLING,
    lists: [
      jsonList('<tool_calls>', '␤</tool_calls>'),
      jsonList('<TOOLCALL>', '␤</TOOLCALL>'),
      jsonList('<tool_call>', '␤</tool_call>'),
      jsonList('functools[', ''),
      jsonList('<|tool_call|>', ''),
      { mark: '<toolcall>', open: '␠', call: OBJECT, separator: '␠</toolcall>␤<toolcall>␠', close: '␠</toolcall>' },
      { mark: '<|function_call|>', open: '', call: OBJECT, separator: '␤', close: '' },
      { mark: '<function_call>', open: '␠', call: OBJECT, separator: '\n<function_call>␠', close: '' },
      { mark: '<|message_sep|>\n\nfunction call<|role_sep|>\n', open: '', call: OBJECT, separator: '␤', close: '' },
      { ...jsonList('', ''), open: '[', bare: true },
    ],
  },
  longcat: { spelling: JSON_SPELLING, lists: [hermesList('<longcat_tool_call>', '</longcat_tool_call>')] },
  apriel: { spelling: JSON_SPELLING, lists: [jsonList('<tool_calls>', '␤</tool_calls>')] },
  internlm: {
    spelling: JSON_SPELLING,
    lists: [
      {
        mark: '<|action_start|><|plugin|>',
        open: '␤',
        call: { kind: 'object', name: 'name', arguments: 'parameters' },
        separator: '␤<|action_end|>␤<|action_start|><|plugin|>␤',
        close: '␤<|action_end|>',
      },
    ],
  },
};
