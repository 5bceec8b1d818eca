import { describe, expect, it } from 'vitest';
import { MillraceError } from '#contracts';
import { withCallersField } from './caller-field.ts';

const errorAt = (param?: string) =>
  new MillraceError('invalid_request', 'It can not be.', param === undefined ? {} : { param });
const toolUse = {
  tools: [
    { name: 'a', strict: false },
    { name: 'b-c', strict: false },
    { name: 'own', strict: true, isCustom: true },
  ],
  ...{ callable: ['a', 'b-c'], choice: 'auto' as const, parallel: null },
};

describe('withCallersField', () => {
  it.each([
    ['answer', 'guided_regex', 'guided_regex'],
    ['answer.properties.a', 'guided_json', 'guided_json.properties.a'],
    ['answer["a b"]', 'structured_outputs.json', 'structured_outputs.json["a b"]'],
    ['tools.b-c.function.parameters', null, 'tools[1].function.parameters'],
    ['tools.own.input', null, 'tools[2].custom.format.grammar.definition'],
    ['tools.own.function.name', null, 'tools[2].custom.name'],
    ['tools.own.function.parameters', null, 'tools[2].custom'],
    ['tools.z.function', null, 'tools.z.function'],
    ['tools', 'guided_json', 'tools'],
  ])('puts %s of %s at %s', (param, constraintField, place) => {
    const error = withCallersField(errorAt(param), { constraintField, toolUse });
    expect(error).toMatchObject({ code: 'invalid_request', message: 'It can not be.', param: place });
  });

  it('leaves an error without a place as it is', () => {
    const error = errorAt();
    expect(withCallersField(error, { constraintField: 'guided_json', toolUse: null })).toBe(error);
  });
});
