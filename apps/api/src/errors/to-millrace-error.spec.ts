import { BadRequestException, NotFoundException } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { MillraceError } from '#contracts';
import { errorHeaders } from './error-headers.ts';
import { toMillraceError } from './to-millrace-error.ts';

describe('toMillraceError', () => {
  it.each([
    [new MillraceError('queue_full', 'full'), 'queue_full', 429],
    [new NotFoundException(), 'not_found', 404],
    [new BadRequestException('no'), 'invalid_request', 400],
    [Object.assign(new Error('big'), { statusCode: 413 }), 'request_too_large', 413],
    [Object.assign(new Error('type'), { statusCode: 415 }), 'unsupported_media_type', 415],
    [new TypeError('x of undefined'), 'internal_error', 500],
    ['a string', 'internal_error', 500],
    [null, 'internal_error', 500],
  ])('makes %s a %s', (thrown, code, status) => {
    expect(toMillraceError(thrown)).toMatchObject({ code, httpStatus: status });
  });

  it('tells nothing of an internal error but keeps its cause for the log', () => {
    const cause = new TypeError('secret of undefined');
    const error = toMillraceError(cause);
    expect(error.message).not.toContain('secret');
    expect(error.cause).toBe(cause);
  });
});

describe('errorHeaders', () => {
  it('says when to retry, in seconds rounded up and in ms, at most a minute', () => {
    const headersAfter = (retryAfterMs: number) =>
      errorHeaders(new MillraceError('queue_full', 'full', { retryAfterMs }));
    expect(headersAfter(1_200)).toEqual({ 'retry-after': '2', 'retry-after-ms': '1200' });
    expect(headersAfter(10)).toEqual({ 'retry-after': '1', 'retry-after-ms': '10' });
    expect(headersAfter(3_600_000)['retry-after']).toBe('60');
  });

  it('says nothing about errors that a retry does not help', () => {
    expect(errorHeaders(new MillraceError('invalid_request', 'no'))).toEqual({});
    expect(errorHeaders(new MillraceError('insufficient_credits', 'no'))).toEqual({ 'x-should-retry': 'false' });
  });
});
