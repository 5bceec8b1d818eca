import { describe, expect, it } from 'vitest';
import { createLogger } from '#observability';

function logged(write: (logger: ReturnType<typeof createLogger>) => void, level: 'info' | 'error' = 'info') {
  const lines: string[] = [];
  write(createLogger('api', level, { write: (line) => void lines.push(line) }));
  return lines;
}

describe('createLogger', () => {
  it('writes one JSON line per record with name, level and time', () => {
    const lines = logged((logger) => logger.info({ requestId: 'r1' }, 'accepted'));
    expect(lines).toHaveLength(1);
    const record = JSON.parse(lines[0]!);
    expect(record).toMatchObject({ name: 'api', level: 'info', msg: 'accepted', requestId: 'r1' });
    expect(new Date(record.time).getTime()).toBeGreaterThan(0);
  });

  it('leaves out records below its level', () => {
    expect(logged((logger) => logger.info('quiet'), 'error')).toEqual([]);
  });

  it.each([
    ['an authorization header', { request: { headers: { authorization: 'Bearer sk-secret' } } }],
    ['a key at the top', { apiKey: 'sk-secret' }],
    ['a whole body', { body: { messages: [{ role: 'user', content: 'sk-secret' }] } }],
    ['a job', { job: { promptTokenIds: 'sk-secret' } }],
    ['settings', { settings: { MILLRACE_DEV_KEY: 'sk-secret', REDIS_URL: 'redis://:sk-secret@host' } }],
  ])('never shows %s', (_, record) => {
    const [line] = logged((logger) => logger.info(record, 'seen'));
    expect(line).toContain('[redacted]');
    expect(line).not.toContain('sk-secret');
  });
});
