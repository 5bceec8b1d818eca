import { expect, it } from 'vitest';
import { failureOf, refusalOf } from './refusal.ts';

const body = (code: string, message: string) => JSON.stringify({ error: { message, type: 't', param: null, code } });
const plain = new Headers();

it('a refusal says what the API says, what to do, and when to come back', () => {
  const full = refusalOf(
    429,
    new Headers({ 'retry-after': '2', 'retry-after-ms': '1200' }),
    body('queue_full', 'Full.'),
  );
  expect([full.code, full.message]).toEqual(['queue_full', 'Full. Try again in 1.2 s.']);
  expect(refusalOf(503, new Headers({ 'retry-after': '5' }), body('no_workers', 'Nobody.')).message).toMatch(
    /^Nobody\. Start a worker .*Try again in 5\.0 s\.$/,
  );
  expect(refusalOf(402, plain, body('insufficient_credits', 'Too little.')).message).toMatch(/tenants grant/);
  expect(refusalOf(401, plain, body('invalid_api_key', 'Unknown key.')).message).toMatch(/--key or MILLRACE_API_KEY/);
});

it('what is no answer of the API has its status', () => {
  expect(refusalOf(502, plain, '<html>').message).toBe('The API answered 502.');
});

it('a failure within a stream is told apart from its chunks', () => {
  expect(failureOf(body('engine_failed', 'It broke.'))).toMatchObject({ code: 'engine_failed', message: 'It broke.' });
  expect(failureOf('{"choices": []}')).toBeNull();
});
