import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ChatTemplate } from '../chat-template.ts';
import { TemplateError } from '../template-error.ts';
import { UnsupportedTemplateError } from '../unsupported-template-error.ts';
import { floatText } from './jinja-text.ts';

const FIXTURE = new URL('../../../../../test/fixtures/jinja-expressions.json', import.meta.url);
const { variables, cases } = JSON.parse(readFileSync(FIXTURE, 'utf8'));

function render(source: string, given: object = variables): string {
  const template = new ChatTemplate({ source, templateTokens: {}, controlTokens: [] });
  return template.render({ tools: null, documents: null, ...given }, new Set(), new Date(0)).text;
}

describe('templates', () => {
  it('write what transformers has them write, and fail where they fail there', () => {
    expect(cases.length).toBeGreaterThan(300);
    for (const { template, text, failure } of cases) {
      if (failure === undefined) expect([template, render(template)]).toEqual([template, text]);
      else {
        const error = failure === 'TemplateSyntaxError' ? UnsupportedTemplateError : TemplateError;
        expect(() => render(template), template).toThrow(error);
      }
    }
  });

  it.each(['{{ s | xmlattr }}', '{{ s is nosuch }}', "{{ ns | map('nosuch') | list }}{{ 1 is nosuch(2) }}"])(
    'are refused when they are loaded where they use what is unknown: %s',
    (source) => expect(() => render(source)).toThrow(UnsupportedTemplateError),
  );

  // As render() of Jinja2 3.1 does with the same names.
  it('see a variable in the place of a function of the same name, and never in the place of a constant', () => {
    const given = {
      range: 'r',
      dict: { a: 1 },
      namespace: [2],
      strftime_now: 'now',
      raise_exception: false,
      true: 'no',
    };
    const shown = '{{ range }} {{ dict.a }} {{ namespace }} {{ strftime_now }} {{ raise_exception }} {{ true }}';
    expect(render(shown, given)).toBe('r 1 [2] now False True');
    expect(render('{% macro m() %}{{ range }}{% endmacro %}{{ m() }}', given)).toBe('r');
    expect(() => render('{{ range(1) }}', given)).toThrow(/'str' object is not callable/);
    expect(render('{% set range = 1 %}{{ range }}{{ namespace(x=2).x }}{{ dict(a=3).a }}', {})).toBe('123');
    expect(render("{{ range(2) | list }}{{ strftime_now('%Y') }}", {})).toBe('[0, 1]1970');
  });

  // As Jinja2 3.1 does: only what is true is looked into.
  it('select from and map what is false as if it were an empty list, and nothing else that can not be looped over', () => {
    const each =
      "{{ (x | selectattr('a') | list) + (x | rejectattr('a') | list) + (x | select | list) + (x | reject | list) }}";
    const mapped = "{{ (x | map(attribute='a') | list) + (x | map('upper') | list) }}";
    for (const x of [null, false, 0, '']) expect(render(each + mapped, { x })).toBe('[][]');
    expect(() => render("{{ x | selectattr('a') | list }}", { x: 1 })).toThrow(/'int' object is not iterable/);
    expect(() => render('{{ x | list }}', { x: null })).toThrow(/'NoneType' object is not iterable/);
  });

  it('read JSON, as templates written for llama.cpp and for vLLM do', () => {
    const source = '{{ (x | from_json).a }}{{ (x | fromjson).b }}';
    expect(render(source, { x: '{"a": [1, true], "b": null}' })).toBe('[1, True]None');
  });

  // Each as Jinja2 3.1 writes it.
  it('have cyclers and joiners, which start anew with each rendering', () => {
    const turns =
      "{% set c = cycler('a', 2) %}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.pos }}{{ c.next() }}{{ c.reset() }}{{ c.current }}{{ c.items }}";
    expect(render(turns)).toBe("a2a0aNonea('a', 2)");
    const loop =
      "{% set c = cycler('odd', 'even') %}{% for m in range(3) %}{% if m != 1 %}{{ c.next() }} {% endif %}{% endfor %}{{ c.current }}";
    expect(render(loop)).toBe('odd even odd');
    const joined =
      "{% set c = joiner() %}{% for m in [1, 2, 3] %}{{ c() }}{{ m }}{% endfor %}|{% set b = joiner('-') %}{{ b() }}{{ b() }}{{ c() }}{% set n = joiner(sep=none) %}{{ n() }}{{ n() }}";
    const template = new ChatTemplate({ source: joined, templateTokens: {}, controlTokens: [] });
    for (let time = 0; time < 2; time++) {
      expect(template.render({}, new Set(), new Date(0)).text).toBe('1, 2, 3|-, None');
    }
    expect(template.variables).toEqual([]);
    expect(render('{{ cycler }}{{ joiner.a }}', { cycler: 1, joiner: { a: 2 } })).toBe('12');
    expect(() => render('{{ cycler() }}')).toThrow(/at least one item/);
  });

  it('are refused where they would write random text', () => {
    expect(() => render('{% if false %}{{ lipsum(2) }}{% endif %}')).toThrow(
      /calls lipsum\(\), which writes random text/,
    );
    expect(render('{{ lipsum }}', { lipsum: 'text' })).toBe('text');
  });

  it('can not change values, reach prototypes, or take more work or room than a conversation needs', () => {
    for (const source of [
      '{{ ns.append(4) }}',
      '{{ d.update({}) }}',
      '{{ s * 100000000 }}',
      '{{ range(1000000) }}',
      "{{ s.constructor('x') }}",
      '{% for a in range(2000) %}{% for b in range(2000) %}{% endfor %}{% endfor %}',
    ]) {
      expect(() => render(source), source).toThrow(TemplateError);
    }
    expect(render('{{ d.__proto__ is defined }}{{ d.constructor is defined }}{{ ns.length is defined }}')).toBe(
      'FalseFalseFalse',
    );
  });

  it('write floats as Python does', () => {
    const written: Readonly<Record<string, number>> = {
      '0.0': 0,
      '-0.0': -0,
      '1e+16': 1e16,
      '123456789012345.0': 123456789012345,
      '1e-05': 1e-5,
      '0.0001234': 0.0001234,
      '1.5e+300': 1.5e300,
    };
    for (const [text, value] of Object.entries(written)) expect(floatText(value)).toBe(text);
  });
});
