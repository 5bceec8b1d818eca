import { Command } from 'commander';
import { expect, it } from 'vitest';
import { nameOf, SAMPLING_FIELDS, samplingFlag, samplingOf, withSetting } from './sampling.ts';

/** What flags make of a request. */
function sampling(...flags: string[]) {
  const command = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
  for (const field of SAMPLING_FIELDS) command.option(`--${nameOf(field)} <value>`, field.means, samplingFlag(field));
  return samplingOf(command.parse(flags, { from: 'user' }).opts());
}

it('flags become fields of a request', () => {
  expect(sampling()).toEqual({});
  expect(sampling('--temperature', '0', '--top-p', '0.9', '--max-tokens', '64', '--reasoning-effort', 'low')).toEqual({
    ...{ temperature: 0, top_p: 0.9, max_tokens: 64, reasoning_effort: 'low' },
  });
  expect(sampling('--stop', 'END', '--stop', '7')).toEqual({ stop: ['END', '7'] });
  expect(() => sampling('--seed', 'seven')).toThrow('seven is no number');
});

it('settings change while one talks, and go', () => {
  const set = withSetting(withSetting({}, 'temperature 0.5'), 'top-p 0.9');
  expect(set).toEqual({ temperature: 0.5, top_p: 0.9 });
  expect(withSetting(set, 'temperature')).toEqual({ top_p: 0.9 });
  expect(withSetting({}, 'stop a b')).toEqual({ stop: ['a b'] });
  expect(() => withSetting({}, 'temprature 1')).toThrow(/no setting "temprature".*temperature/);
  expect(() => withSetting({}, 'seed abc')).toThrow('seed is a number; "abc" is none');
});
