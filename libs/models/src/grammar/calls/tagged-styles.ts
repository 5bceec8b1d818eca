import { JSON_SPELLING, type Spelling } from '../spelling.ts';
import type { CallList, CallStyle } from './call-style.ts';

const coderList = (open: string, close: string): CallList => ({
  mark: open,
  open: '␤',
  call: {
    kind: 'tagged',
    head: (name) => `<function=${name}>\n`,
    tail: '</function>',
    tags: {
      open: '<parameter=',
      rawNameEnd: '>',
      jsonNameEnd: '>',
      close: '</parameter>',
      alsoEndedBy: ['\n<parameter=', '\n</function>'],
      lines: true,
    },
  },
  separator: `␤${close}␤${open}␤`,
  close: `␤${close}`,
});

/** `prefix` begins the names of all marks. */
const markupList = (prefix: string, name: string): CallList => ({
  mark: `<${prefix}${name}>`,
  open: '␤',
  call: {
    kind: 'tagged',
    head: (called) => `<${prefix}invoke name="${called}">␤`,
    tail: `</${prefix}invoke>`,
    tags: {
      open: `<${prefix}parameter name="`,
      rawNameEnd: '" string="true">',
      jsonNameEnd: '" string="false">',
      close: `</${prefix}parameter>`,
      lines: false,
    },
  },
  separator: '␤',
  close: `␤</${prefix}${name}>`,
});

interface PairMarks {
  readonly open?: string;
  readonly nameEnd?: string;
  /** Names the marks of an argument's key and value. */
  readonly argument?: (name: string) => string;
  readonly close?: string;
}

/** Keys and values in marks of their own. */
const pairsList = ({
  open = '<tool_call>',
  nameEnd = '',
  argument = (name) => name,
  close = '</tool_call>',
}: PairMarks): CallList => {
  const [key, value] = [argument('arg_key'), argument('arg_value')];
  return {
    mark: '',
    open: '',
    call: {
      kind: 'tagged',
      head: (name) => `${open}${name}${nameEnd}␤`,
      tail: close,
      tags: {
        open: `<${key}>`,
        rawNameEnd: `</${key}>␤<${value}>`,
        jsonNameEnd: `</${key}>␤<${value}>`,
        close: `</${value}>`,
        lines: false,
      },
    },
    separator: '␤',
    close: '',
  };
};

const invokeList = (name: string): CallList => ({
  mark: `<${name}>`,
  open: '␤',
  call: {
    kind: 'tagged',
    head: (called) => `<invoke name="${called}">␤`,
    tail: '</invoke>',
    tags: { open: '<parameter name="', rawNameEnd: '">', jsonNameEnd: '">', close: '</parameter>', lines: false },
  },
  separator: '␤',
  close: `␤</${name}>`,
});

const MINIMAX_NAMESPACE = ']<]minimax[>[';

const forbidding = (...forbidden: string[]): Spelling => ({ ...JSON_SPELLING, forbidden });

/** Families that write arguments as texts between tags. */
export const TAGGED_STYLES: Readonly<Record<string, CallStyle>> = {
  'qwen3-coder': { spelling: forbidding('</parameter>'), lists: [coderList('<tool_call>', '</tool_call>')] },
  'seed-oss': { spelling: forbidding('</parameter>'), lists: [coderList('<seed:tool_call>', '</seed:tool_call>')] },
  glm: { spelling: forbidding('</arg_value>'), lists: [pairsList({})] },
  iquest: {
    spelling: forbidding('</arg_value>'),
    lists: [pairsList({ open: '<iquest_tool_call>', close: '</iquest_tool_call>' })],
  },
  'hunyuan-v3': {
    spelling: forbidding('</arg_value:opensource>'),
    lists: [
      {
        ...pairsList({
          open: '<tool_call:opensource>',
          nameEnd: '<tool_sep:opensource>',
          argument: (name) => `${name}:opensource`,
          close: '</tool_call:opensource>',
        }),
        mark: '<tool_calls:opensource>',
        open: '␤',
        close: '␤</tool_calls:opensource>',
      },
    ],
  },
  'k2-horizon': {
    spelling: forbidding('</ifm|arg_value>'),
    lists: [
      {
        ...pairsList({
          open: '<ifm|tool_call>',
          argument: (name) => `ifm|${name}`,
          close: '</ifm|tool_call>',
        }),
        mark: '<ifm|tool_calls>',
        close: '␤</ifm|tool_calls>',
      },
    ],
  },
  minimax: { spelling: forbidding('</parameter>'), lists: [invokeList('minimax:tool_call')] },
  dots: { spelling: forbidding('</parameter>'), lists: [invokeList('dots_function_call')] },
  'minimax-m3': {
    spelling: forbidding(MINIMAX_NAMESPACE),
    lists: [
      {
        mark: `${MINIMAX_NAMESPACE}<tool_call>`,
        open: '␤',
        call: {
          kind: 'tagged',
          head: (name) => `${MINIMAX_NAMESPACE}<invoke name="${name}">`,
          tail: `${MINIMAX_NAMESPACE}</invoke>`,
          tags: {
            open: `${MINIMAX_NAMESPACE}<`,
            rawNameEnd: '>',
            jsonNameEnd: '>',
            close: MINIMAX_NAMESPACE,
            closesByName: true,
            lines: false,
          },
        },
        separator: '␤',
        close: `␤${MINIMAX_NAMESPACE}</tool_call>`,
      },
    ],
  },
  'deepseek-dsml': {
    spelling: forbidding('</｜DSML｜parameter>'),
    lists: [markupList('｜DSML｜', 'function_calls'), markupList('｜DSML｜', 'tool_calls')],
  },
  'gigachat-3.5': {
    spelling: forbidding('</｜GCML｜parameter>'),
    lists: [markupList('｜GCML｜', 'tool_calls')],
  },
  minicpm: {
    spelling: forbidding('</param>'),
    lists: [
      {
        mark: '',
        open: '',
        call: {
          kind: 'tagged',
          head: (name) => `<function name="${name}">␤`,
          tail: '</function>',
          tags: {
            open: '<param name="',
            rawNameEnd: '">',
            jsonNameEnd: '">',
            close: '</param>',
            quoteOpen: '<![CDATA[',
            lines: false,
          },
        },
        separator: '␤',
        close: '',
      },
    ],
  },
  step3: {
    spelling: forbidding('</steptml:parameter>'),
    lists: [
      {
        mark: '<｜tool_calls_begin｜>',
        open: '␤',
        call: {
          kind: 'tagged',
          head: (name) => `<｜tool_call_begin｜>function<｜tool_sep｜><steptml:invoke name="${name}">␤`,
          tail: '</steptml:invoke><｜tool_call_end｜>',
          tags: {
            open: '<steptml:parameter name="',
            rawNameEnd: '">',
            jsonNameEnd: '">',
            close: '</steptml:parameter>',
            lines: false,
          },
        },
        separator: '␤',
        close: '␤<｜tool_calls_end｜>',
      },
    ],
  },
  'kimi-k3': {
    spelling: forbidding('<|close|>argument<|sep|>'),
    lists: [
      {
        mark: '<|open|>tools<|sep|>',
        open: '',
        call: {
          kind: 'tagged',
          head: (name) => `<|open|>call tool="${name}" index="№"<|sep|>`,
          tail: '<|close|>call<|sep|>',
          tags: {
            open: '<|open|>argument key="',
            rawNameEnd: '" type="string"<|sep|>',
            jsonNameEnd: ['number', 'boolean', 'null', 'array', 'object'].map((type) => `" type="${type}"<|sep|>`),
            close: '<|close|>argument<|sep|>',
            lines: false,
          },
        },
        separator: '',
        close: '<|close|>tools<|sep|>',
      },
    ],
  },
};
