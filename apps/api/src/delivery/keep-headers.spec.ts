import { describe, expect, it } from 'vitest';
import { keepHeadersOf } from './keep-headers.ts';

const keyOf = (key: string | string[]) => keepHeadersOf({ 'idempotency-key': key }).idempotencyKey;

describe('headers of answers that are kept', () => {
  it('want nothing when none is there', () => {
    expect(keepHeadersOf({})).toEqual({ idempotencyKey: null, resumable: false, lastEventId: null });
    expect(keepHeadersOf({ 'last-event-id': '' }).lastEventId).toBeNull();
  });

  it('give the same key in quotes and bare', () => {
    expect([keyOf('"8e03978e-40d5"'), keyOf('8e03978e-40d5')]).toEqual(['8e03978e-40d5', '8e03978e-40d5']);
    expect(keyOf('x'.repeat(255))).toHaveLength(255);
  });

  it.each(['', '""', 'with space', 'x'.repeat(256), 'é', '"open', 'a"b', 'a\\b'])('refuse the key %j', (key) => {
    expect(() => keyOf(key)).toThrow(/Idempotency-Key.*must be 1 to 255/);
  });

  it('refuse two keys', () => {
    expect(() => keyOf(['a', 'b'])).toThrow(/Idempotency-Key/);
  });

  it.each(['x', '1.', '-1', '1.2.3e5', '9'.repeat(10)])('refuse the event id %j', (id) => {
    expect(() => keepHeadersOf({ 'last-event-id': id })).toThrow(/Last-Event-ID/);
  });

  it('refuse what is neither true nor false', () => {
    expect(() => keepHeadersOf({ 'x-millrace-resumable': 'yes' })).toThrow(/must be true or false/);
    expect(keepHeadersOf({ 'x-millrace-resumable': 'false' }).resumable).toBe(false);
  });
});
