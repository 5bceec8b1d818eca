import { describe, expect, it } from 'vitest';
import { parse } from './testing/parse-answer.ts';
import { ANY_TOOL, toolSetOf } from './tool-set.ts';

describe('calls of families', () => {
  it('takes text for text where the schema says string, and values as JSON elsewhere', () => {
    const said =
      '<tool_call>\n<function=look_up>\n<parameter=text>\n12\n</parameter>\n<parameter=value>\n12\n</parameter>\n<parameter=other>\nnot json\n</parameter>\n</function>\n</tool_call>';
    expect(parse('qwen3-coder', [said]).calls[0]?.arguments).toBe('{"text":"12","value":12,"other":"not json"}');
    expect(parse('qwen3-coder', [said], { tools: ANY_TOOL }).calls[0]?.arguments).toContain('"text":12');
  });

  it('loses nothing of a call whose head is damaged', () => {
    const damaged =
      '<|open|>call tool="look_up" index="|sep|><|open|>argument key="text" ty|sep|>a river<|close|>argument<|sep|>';
    expect(parse('kimi-k3', [damaged])).toMatchObject({ content: damaged, calls: [] });
    expect(parse('kimi-k3', damaged.split(''))).toMatchObject({ content: damaged, calls: [] });
  });

  it('leaves out the marks that end a call also where content follows, and keeps those of a call that is none', () => {
    const called = '<tool_call>\n<function=look_up>\n</function>\n</tool_call>';
    const read = (said: string) => parse('qwen3-coder', said.split(''));
    expect(read(`So.\n${called} And on.`)).toMatchObject({ content: 'So. And on.', calls: [{ name: 'look_up' }] });
    expect(read(`${called}\n\nAnd on.`)).toMatchObject({ content: 'And on.', calls: [{ name: 'look_up' }] });
    expect(read(`${called}\n<tool_call>\nnone`).content).toBe('<tool_call>\nnone');
    const spread =
      'So.<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>look_up<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>It is.';
    expect(parse('deepseek', [spread]).content).toBe('So.It is.');
  });

  it('ends an argument where the next one or the end of the call shows that its end mark was forgotten', () => {
    const said =
      '<function=look_up>\n<parameter=text>\na\n<parameter=unit>\nb\n</parameter>\n<parameter=value>\n1\n</function>\n</tool_call>';
    expect(parse('qwen3-coder', [said]).calls[0]?.arguments).toBe('{"text":"a","unit":"b","value":1}');
    const inside = '<function=look_up>\n<parameter=text>\nx <parameter=a> </function> y\n</parameter>\n</function>';
    expect(JSON.parse(parse('qwen3-coder', [inside]).calls[0]?.arguments ?? '')).toEqual({
      text: 'x <parameter=a> </function> y',
    });
  });

  it('keeps the line break at the end of a text that stands beside its tags', () => {
    const read = (text: string) =>
      JSON.parse(
        parse('minimax', [`<invoke name="look_up"><parameter name="text">${text}</parameter></invoke>`]).calls[0]
          ?.arguments ?? '',
      ).text;
    expect([read('  x = 1\n'), read('\nx\n'), read('x\n\n')]).toEqual(['  x = 1\n', 'x', 'x\n\n']);
  });

  it('drops blanks between content and a call where the family’s calls follow them', () => {
    const said = 'So. <|tool_call>:look_up{text:<|"|>a<|"|>}<tool_call|>';
    expect(parse('gemma', [said])).toMatchObject({ content: 'So.', calls: [{ arguments: '{"text":"a"}' }] });
    expect(parse('hermes', ['So. <tool_call>{"name": "look_up", "arguments": {}}</tool_call>']).content).toBe('So. ');
  });

  it('finds the call behind one whose name never ends', () => {
    const { calls } = parse('gemma', ['<|tool_call>call:no brace<tool_call|><|tool_call>call:look_up{}<tool_call|>']);
    expect(calls).toMatchObject([{ name: 'look_up', arguments: '{}' }]);
  });

  it('takes the schema’s word against the mark that says what an argument is', () => {
    const tools = toolSetOf([
      {
        name: 'look_up',
        parameters: { properties: { n: { type: ['integer', 'null'] }, s: { type: ['string', 'null'] } } },
      },
    ]);
    const argument = (name: string) => `<｜DSML｜parameter name="${name}" string="true">42</｜DSML｜parameter>`;
    const said = `<｜DSML｜invoke name="look_up">${argument('n')}${argument('s')}</｜DSML｜invoke>`;
    expect(parse('deepseek-dsml', [said], { tools }).calls[0]?.arguments).toBe('{"n":42,"s":"42"}');
  });

  it('reads sets, numbers with zeros in front and strings of several lines, as models write them in Python', () => {
    const said = `[look_up(a={'x', 'y'}, b=07, c=-007.50, d=0, e={}, f={'k': {1, 2,}}, g='one\ntwo', h={3: 4})]`;
    expect(parse('pythonic', [said], { wholeCalls: true }).calls).toEqual([]);
    expect(JSON.parse(parse('pythonic', [said.replace(', h={3: 4}', '')]).calls[0]?.arguments ?? '')).toEqual({
      a: ['x', 'y'],
      b: 7,
      c: -7.5,
      d: 0,
      e: {},
      f: { k: [1, 2] },
      g: 'one\ntwo',
    });
  });

  it('reads elements as the objects and lists that they stand for, by their schema where there is one', () => {
    const m = ']<]minimax[>[';
    const said = `<mm:think>Hm</mm:think>${m}<tool_call>\n${m}<invoke name="look_up">${m}<value>${m}<item>${m}<id>1${m}</id>${m}<on>true${m}</on>${m}</item>${m}<item>two${m}</item>${m}</value>${m}<text>1 < 2${m}</text>${m}<none>${m}</none>${m}</invoke>\n${m}</tool_call>`;
    const { reasoning, content: rest, calls } = parse('minimax-m3', said.split(''));
    expect([reasoning, rest, calls.map((found) => JSON.parse(found.arguments))]).toEqual([
      'Hm',
      '',
      [{ value: [{ id: 1, on: true }, 'two'], text: '1 < 2', none: '' }],
    ]);
    expect(parse('minimax-m3', ['</mm:think>Hello']).content).toBe('Hello');
    const typed = toolSetOf([
      {
        name: 'look_up',
        parameters: {
          properties: {
            value: { type: 'object', properties: { id: { type: 'string' } } },
            list: { type: 'array', items: { type: 'string' } },
            none: { type: 'array' },
          },
        },
      },
    ]);
    const more = `${m}<invoke name="look_up">${m}<value>${m}<id>1${m}</id>${m}</value>${m}<list>${m}<item>2${m}</item>${m}</list>${m}<none>${m}</none>${m}</invoke>`;
    expect(JSON.parse(parse('minimax-m3', [more], { tools: typed }).calls[0]?.arguments ?? '')).toEqual({
      value: { id: '1' },
      list: ['2'],
      none: [],
    });
  });

  it('takes quoted text of MiniCPM as it stands, as a string where the schema does not say what it is', () => {
    const said =
      '<function name="look_up"><param name="text"><![CDATA[\n<a href="x">\n</param>\n]]></param><param name="other"><![CDATA[1]]></param></function>';
    const { content: rest, calls } = parse('minicpm', [said]);
    expect([rest, JSON.parse(calls[0]?.arguments ?? '')]).toEqual([
      '',
      { text: '\n<a href="x">\n</param>\n', other: '1' },
    ]);
  });

  it('reads messages of gpt-oss whose role stands in the prompt, and drops those to tools that no request has', () => {
    for (const head of [
      ' to=functions.look_up<|channel|>analysis',
      'to=functions.look_up<|channel|>commentary <|constrain|>json',
    ]) {
      const { content: rest, reasoning, calls } = parse('gpt-oss', `${head}<|message|>{"a": 1}<|call|>`.split(''));
      expect([rest, reasoning, calls]).toMatchObject(['', '', [{ name: 'look_up', arguments: '{"a": 1}' }]]);
    }
    expect(parse('gpt-oss', [' to=everybody: hello']).content).toBe(' to=everybody: hello');
    const builtIn =
      '<|channel|>analysis<|message|>I run it<|end|><|start|>assistant<|channel|>commentary to=python <|constrain|>code<|message|>print(1)<|call|>';
    expect(parse('gpt-oss', [builtIn])).toEqual({ content: '', reasoning: 'I run it', calls: [] });
  });

  it('reads the Mistral, DeepSeek and Functionary forms of later versions', () => {
    for (const [name, said] of [
      ['mistral', '[TOOL_CALLS]look_up[CALL_ID]a1b2[ARGS]{"a": 1}'],
      [
        'deepseek',
        '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>look_up<｜tool▁sep｜>{"a": 1}<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
      ],
      ['llama3-json', '<|python_tag|>{"type": "function", "name": "look_up", "parameters": {"a": 1}}<|eom_id|>'],
      ['json-list', ' functools[{"name": "look_up", "arguments": {"a": 1}}]'],
      ['pythonic', '<|python_start|>[look_up(a=1)]<|python_end|>'],
      ['olmo', '<function_calls>\nlook_up(a=1)\n</function_calls>'],
      [
        'glm',
        '<tool_calls>\n<tool_call>look_up<tool_sep>\n<arg_key>a</arg_key>\n<arg_value>1</arg_value>\n</tool_call>\n</tool_calls>',
      ],
      ['minicpm', '<function name="look_up"><param name="a">1</param></function>'],
      ['json-list', '<function_call> {"name": "look_up", "arguments": {"a": 1}}'],
      ['json-list', '<toolcall> {"name": "look_up", "arguments": {"a": 1}} </toolcall>'],
      ['json-list', '<|tool_call|>[{"name": "look_up", "arguments": {"a": 1}}]<|/tool_call|>'],
      ['json-list', '```\n[\n    {"name": "look_up", "arguments": {"a": 1}}\n]\n```'],
      [
        'k2-horizon',
        '<ifm|tool_calls><ifm|tool_call>{"name": "look_up", "arguments": {"a": 1}}</ifm|tool_call></ifm|tool_calls>',
      ],
      ['llama3-json', '<|python_start|>{"name": "look_up", "parameters": {"a": 1}}<|python_end|>'],
      [
        'gpt-oss',
        '<|channel|>analysis<|message|>hm<|end|><|start|>assistant to=functions.look_up<|channel|>commentary<|message|>{"a": 1}',
      ],
    ] as const) {
      const { content: rest, calls } = parse(name, [said]);
      expect([name, rest, calls.map((found) => [found.name, JSON.parse(found.arguments)])]).toEqual([
        name,
        '',
        [['look_up', { a: 1 }]],
      ]);
    }
  });
});
