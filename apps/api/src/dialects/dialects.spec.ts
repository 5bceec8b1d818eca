import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MillraceError, SamplingParameters } from '#contracts';
import { samplingOf } from '../generate/requested-sampling.ts';
import { CHAT_FIELDS } from './chat-request/chat-fields.ts';
import { DIALECTS, dialectAt } from './dialects.ts';

const anything = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom<unknown>(0, -1, 1e300, 0.5, true, '', 'auto', 'none', [], {}, [null], { type: 'text' }, { 5: 1 }),
);
const message = fc.record(
  {
    role: fc.oneof(fc.constantFrom('system', 'developer', 'user', 'assistant', 'tool', 'robot'), anything),
    content: fc.oneof(fc.string(), anything, fc.array(fc.record({ type: fc.constant('text'), text: fc.string() }))),
    name: anything,
    tool_calls: anything,
    tool_call_id: fc.oneof(fc.string(), anything),
  },
  { requiredKeys: ['role', 'content'] },
);
const fields = Object.fromEntries(Object.keys(CHAT_FIELDS).map((field) => [field, anything]));
const valid = { model: 'tiny', messages: [{ role: 'user', content: 'Hi' }] };

describe.each(DIALECTS)('$name', (dialect) => {
  it('takes any JSON whatever as a request, or refuses it with a clear error, and never breaks', () => {
    const body = fc.oneof(
      anything,
      fc.record(fields, { requiredKeys: [] }).map((more) => ({ ...valid, ...more })),
      fc
        .tuple(fc.constantFrom(...Object.keys(CHAT_FIELDS)), anything)
        .map(([field, value]) => ({ ...valid, [field]: value })),
      fc.array(message, { maxLength: 3 }).map((messages) => ({ ...valid, messages })),
    );
    fc.assert(
      fc.property(body, (value) => {
        try {
          const { request, delivery } = dialect.parse(value);
          SamplingParameters.parse(samplingOf(request.sampling, undefined, () => 0));
          expect(request.messages.length).toBeGreaterThan(0);
          expect(delivery.stream && dialect.chunks === null).toBe(false);
        } catch (error) {
          expect(error).toBeInstanceOf(MillraceError);
          const refusal = error as MillraceError;
          expect(refusal.message).toMatch(/ .*\.$/);
          expect(refusal.message).not.toMatch(/invalid|expected|undefined|\[object/i);
          expect([400, 422]).toContain(dialect.statusOf(refusal));
          expect(dialect.schemas.error.schema.parse(dialect.errorBody(refusal))).toEqual(dialect.errorBody(refusal));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('has a path and schema names of its own', () => {
    expect(dialectAt(dialect.path)).toBe(dialect);
    const names = DIALECTS.flatMap(({ schemas }) => [
      schemas.request.name,
      schemas.completion.name,
      schemas.chunk?.name,
    ]);
    const present = names.filter((name) => name !== undefined);
    expect(new Set(present).size).toBe(present.length);
  });
});
