import { describe, expect, it } from 'vitest';
import { ChatTemplate } from '../prompt/chat-template.ts';
import { withToolTemplate } from './named-templates.ts';

function render(source: string, tools: unknown): string {
  const template = new ChatTemplate({ source, templateTokens: {}, controlTokens: [] });
  const variables = { messages: [{ role: 'user', content: 'Hi' }], tools };
  return template.render(variables, new Set(), new Date(0)).text;
}

describe('two templates in one', () => {
  const sources = [
    '{{ messages[0].content }}',
    '\n\n a \n{% if true %}\n  b\n{% endif %}\n',
    '  {% if true %}x{% endif %}  \n\n',
    '  {%- for m in messages -%}\n {{ m.content }} \n{%- endfor -%}  ',
    '{# c #}\n {{- "x" -}} \n {# d #}\n',
    '{% set a = 1 %}{% macro f(x) %}{{ x }}{% endmacro %}{{ f(a) }}\r\n',
    '{% if tools is not none %}t{{ tools | length }}{% else %}none{% endif %}\n',
    '   ',
  ];

  it('write each what it writes alone: one where there are tools, the other where there are none', () => {
    for (const plain of sources) {
      for (const forTools of sources) {
        const both = withToolTemplate(plain, forTools);
        expect([both, render(both, null)]).toEqual([both, render(plain, null)]);
        expect([both, render(both, [{}])]).toEqual([both, render(forTools, [{}])]);
      }
    }
  });

  it('are one where there is no second', () => {
    for (const none of [null, undefined, '', 'x']) expect(withToolTemplate('x', none)).toBe('x');
  });
});
