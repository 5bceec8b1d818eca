import { expect, it } from 'vitest';
import { helpText, SLASH_COMMANDS, slashCommandOf } from './slash-command.ts';

it('commands have a name and what stands behind it', () => {
  expect(slashCommandOf('/clear')).toEqual({ name: 'clear', argument: '', typed: 'clear' });
  expect(slashCommandOf('/SYSTEM  Be brief. ')).toEqual({ name: 'system', argument: 'Be brief.', typed: 'SYSTEM' });
  expect(slashCommandOf('/system \nBe brief.\nBe kind.')).toMatchObject({ argument: 'Be brief.\nBe kind.' });
  expect(slashCommandOf('/bye')).toMatchObject({ name: 'quit' });
  expect(slashCommandOf('/?')).toMatchObject({ name: 'help' });
});

it('one that does not exist is no message', () => {
  expect(slashCommandOf('/hepl me')).toEqual({ name: null, argument: 'me', typed: 'hepl' });
});

it('paths, fractions and what stands behind a space are messages', () => {
  for (const message of ['/etc/hosts is what?', '1/2', ' /clear', '/', '// a comment']) {
    expect([message, slashCommandOf(message)]).toEqual([message, null]);
  }
});

it('the help has all of them', () => {
  for (const { name } of SLASH_COMMANDS) expect(helpText()).toContain(`/${name}`);
});
