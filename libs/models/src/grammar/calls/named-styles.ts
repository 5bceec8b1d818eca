import { JSON_SPELLING, type Spelling } from '../spelling.ts';
import type { CallList, CallStyle, LooseText } from './call-style.ts';
import { jsonList } from './object-styles.ts';

const deepseekList = (head: (name: string) => LooseText, tail: LooseText): CallList => ({
  mark: '<｜tool▁calls▁begin｜>',
  open: '␤',
  call: { kind: 'named', head, tail },
  separator: '␤',
  close: '␤<｜tool▁calls▁end｜>',
});

const gemmaSpelling = (quote: string): Spelling => ({
  ...JSON_SPELLING,
  stringOpen: quote,
  stringClose: quote,
  keyOpen: '',
  keyClose: '',
  keyPattern: '^[A-Za-z_][A-Za-z0-9_-]*$',
  escaped: false,
  forbidden: [quote],
});

const MISTRAL: CallStyle = {
  spelling: JSON_SPELLING,
  lists: [
    jsonList('[TOOL_CALLS]', ''),
    {
      mark: '[TOOL_CALLS]',
      open: '',
      call: { kind: 'named', head: (name) => `${name}[ARGS]`, tail: '' },
      separator: '[TOOL_CALLS]',
      close: '',
    },
  ],
};

/** Families that write a call as a head with its name, and its arguments as an object. `gpt-oss` and `functionary-v3.2` have messages around. */
export const NAMED_STYLES: Readonly<Record<string, CallStyle>> = {
  mistral: MISTRAL,
  magistral: MISTRAL,
  deepseek: {
    spelling: JSON_SPELLING,
    lists: [
      deepseekList((name) => `<｜tool▁call▁begin｜>${name}<｜tool▁sep｜>`, '<｜tool▁call▁end｜>'),
      deepseekList(
        (name) => `<｜tool▁call▁begin｜>function<｜tool▁sep｜>${name}\n\`\`\`json\n`,
        '\n```<｜tool▁call▁end｜>',
      ),
    ],
  },
  kimi: {
    spelling: JSON_SPELLING,
    lists: [
      {
        mark: '<|tool_calls_section_begin|>',
        open: '',
        call: {
          kind: 'named',
          head: (name) => `<|tool_call_begin|>functions.${name}:№<|tool_call_argument_begin|>`,
          tail: '<|tool_call_end|>',
        },
        separator: '',
        close: '<|tool_calls_section_end|>',
      },
    ],
  },
  functionary: {
    spelling: JSON_SPELLING,
    lists: [
      {
        mark: '',
        open: '',
        call: { kind: 'named', head: (name) => `<function=${name}>`, tail: '</function>' },
        separator: '␤',
        close: '',
      },
    ],
  },
  'functionary-v3.2': {
    spelling: JSON_SPELLING,
    lists: [
      {
        mark: '>>>',
        open: '',
        call: { kind: 'named', head: (name) => `${name}\n`, tail: '' },
        separator: '␤>>>',
        close: '',
      },
    ],
  },
  'gpt-oss': {
    spelling: JSON_SPELLING,
    lists: [
      {
        mark: '',
        open: '',
        call: {
          kind: 'named',
          head: (name) => `<|channel|>commentary to=functions.${name} <|constrain|>json<|message|>`,
          tail: '',
        },
        separator: '',
        close: '',
      },
    ],
  },
  gemma: {
    spelling: gemmaSpelling('<|"|>'),
    lists: [
      {
        mark: '',
        open: '',
        call: { kind: 'named', head: (name) => `<|tool_call>call:${name}`, tail: '<tool_call|>' },
        separator: '',
        close: '',
      },
    ],
  },
  functiongemma: {
    spelling: gemmaSpelling('<escape>'),
    lists: [
      {
        mark: '',
        open: '',
        call: { kind: 'named', head: (name) => `<start_function_call>call:${name}`, tail: '<end_function_call>' },
        separator: '',
        close: '',
      },
    ],
  },
  apertus: {
    spelling: JSON_SPELLING,
    lists: [
      {
        mark: '<|tools_prefix|>',
        open: '[',
        call: { kind: 'named', head: (name) => `{"${name}":␠`, tail: '}' },
        separator: ',␠',
        close: ']<|tools_suffix|>',
      },
    ],
  },
  solar: {
    spelling: JSON_SPELLING,
    lists: [
      {
        mark: '<|tool_call:begin|>',
        open: '',
        call: {
          kind: 'named',
          head: (name) => `call№<|tool_call:name|>${name}<|tool_call:args|>`,
          tail: '<|tool_call:end|>',
        },
        separator: '<|tool_call:begin|>',
        close: '',
      },
    ],
  },
};
