import { describe, expect, it } from 'vitest';
import { showsKey } from './board-key.ts';

const KEY = 'board-key:0123456789';
const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

describe('showsKey', () => {
  it.each([
    ['a bearer', `Bearer ${KEY}`],
    ['the password of any user', basic(`anybody:${KEY}`)],
    ['the password of no user', basic(`:${KEY}`)],
  ])('takes the key as %s', (_, header) => {
    expect(showsKey(header, KEY)).toBe(true);
  });

  it.each([
    ['nothing', undefined],
    ['another key', 'Bearer board-key:0123456780'],
    ['the key as a user name', basic(`${KEY}:`)],
    ['no password at all', basic('anybody')],
    ['another scheme', `Digest ${KEY}`],
  ])('does not take %s', (_, header) => {
    expect(showsKey(header, KEY)).toBe(false);
  });
});
