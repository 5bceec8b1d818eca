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

const dsmlList = (name: string): CallList => ({
  mark: `<｜DSML｜${name}>`,
  open: '␤',
  call: {
    kind: 'tagged',
    head: (called) => `<｜DSML｜invoke name="${called}">␤`,
    tail: '</｜DSML｜invoke>',
    tags: {
      open: '<｜DSML｜parameter name="',
      rawNameEnd: '" string="true">',
      jsonNameEnd: '" string="false">',
      close: '</｜DSML｜parameter>',
      lines: false,
    },
  },
  separator: '␤',
  close: `␤</｜DSML｜${name}>`,
});

const MINIMAX_NAMESPACE = ']<]minimax[>[';

const forbidding = (...forbidden: string[]): Spelling => ({ ...JSON_SPELLING, forbidden });

/** Families that write arguments as texts between tags. */
export const TAGGED_STYLES: Readonly<Record<string, CallStyle>> = {
  'qwen3-coder': { spelling: forbidding('</parameter>'), lists: [coderList('<tool_call>', '</tool_call>')] },
  'seed-oss': { spelling: forbidding('</parameter>'), lists: [coderList('<seed:tool_call>', '</seed:tool_call>')] },
  glm: {
    spelling: forbidding('</arg_value>'),
    lists: [
      {
        mark: '',
        open: '',
        call: {
          kind: 'tagged',
          head: (name) => `<tool_call>${name}␤`,
          tail: '</tool_call>',
          tags: {
            open: '<arg_key>',
            rawNameEnd: '</arg_key>␤<arg_value>',
            jsonNameEnd: '</arg_key>␤<arg_value>',
            close: '</arg_value>',
            lines: false,
          },
        },
        separator: '␤',
        close: '',
      },
    ],
  },
  'hunyuan-v3': {
    spelling: forbidding('</arg_value:opensource>'),
    lists: [
      {
        mark: '<tool_calls:opensource>',
        open: '␤',
        call: {
          kind: 'tagged',
          head: (name) => `<tool_call:opensource>${name}<tool_sep:opensource>␤`,
          tail: '</tool_call:opensource>',
          tags: {
            open: '<arg_key:opensource>',
            rawNameEnd: '</arg_key:opensource>␤<arg_value:opensource>',
            jsonNameEnd: '</arg_key:opensource>␤<arg_value:opensource>',
            close: '</arg_value:opensource>',
            lines: false,
          },
        },
        separator: '␤',
        close: '␤</tool_calls:opensource>',
      },
    ],
  },
  minimax: {
    spelling: forbidding('</parameter>'),
    lists: [
      {
        mark: '<minimax:tool_call>',
        open: '␤',
        call: {
          kind: 'tagged',
          head: (name) => `<invoke name="${name}">␤`,
          tail: '</invoke>',
          tags: { open: '<parameter name="', rawNameEnd: '">', jsonNameEnd: '">', close: '</parameter>', lines: false },
        },
        separator: '␤',
        close: '␤</minimax:tool_call>',
      },
    ],
  },
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
    lists: [dsmlList('function_calls'), dsmlList('tool_calls')],
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
