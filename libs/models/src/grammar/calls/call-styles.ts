import { JSON_SPELLING, PYTHON_SPELLING, type Spelling } from '../spelling.ts';
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

const jsonList = (mark: string, close: LooseText): CallList => ({
  mark,
  open: mark.endsWith('[') ? '' : '␤[',
  call: OBJECT,
  separator: ',␠',
  close: `]${close}`,
});

const pythonList = (mark: string, close: string): CallList => ({
  mark,
  open: '[',
  call: { kind: 'pythonic' },
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

const deepseekList = (head: (name: string) => LooseText, tail: LooseText): CallList => ({
  mark: '<｜tool▁calls▁begin｜>',
  open: '␤',
  call: { kind: 'named', head, tail },
  separator: '␤',
  close: '␤<｜tool▁calls▁end｜>',
});

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

const GRANITE: CallStyle = {
  spelling: JSON_SPELLING,
  lists: [jsonList('<|tool_call|>', ''), jsonList('<tool_call>', '')],
};

const MINIMAX_NAMESPACE = ']<]minimax[>[';

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

const forbidding = (...forbidden: string[]): Spelling => ({ ...JSON_SPELLING, forbidden });

/** The styles by the name of the output format that reads them. `gpt-oss` and `functionary-v3.2` have messages around. */
export const CALL_STYLES: Readonly<Record<string, CallStyle>> = {
  hermes: HERMES,
  generic: HERMES,
  mistral: {
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
  },
  'llama3-json': { spelling: JSON_SPELLING, lists: [{ ...llamaList(''), bare: true }, llamaList('<|python_tag|>')] },
  pythonic: {
    spelling: PYTHON_SPELLING,
    lists: [
      { ...pythonList('', ''), bare: true },
      pythonList('<|tool_call_start|>', '<|tool_call_end|>'),
      pythonList('<|python_start|>', '<|python_end|>'),
    ],
  },
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
      { mark: '<|function_call|>', open: '', call: OBJECT, separator: '␤', close: '' },
      { mark: '<function_call>', open: '␠', call: OBJECT, separator: '\n<function_call>␠', close: '' },
      { mark: '<|message_sep|>\n\nfunction call<|role_sep|>\n', open: '', call: OBJECT, separator: '␤', close: '' },
      { ...jsonList('', ''), open: '[', bare: true },
    ],
  },
  longcat: { spelling: JSON_SPELLING, lists: [hermesList('<longcat_tool_call>', '</longcat_tool_call>')] },
  olmo: {
    spelling: PYTHON_SPELLING,
    lists: [
      {
        mark: '<function_calls>',
        open: '␤',
        call: { kind: 'pythonic' },
        separator: '\n',
        close: '␤</function_calls>',
      },
    ],
  },
  apriel: { spelling: JSON_SPELLING, lists: [jsonList('<tool_calls>', '␤</tool_calls>')] },
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
};
