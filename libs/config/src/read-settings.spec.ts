import { describe, expect, it } from 'vitest';
import { ApiSettings, ConfigurationError, readSettings, WorkerSettings } from '#config';

describe('readSettings', () => {
  it('fills defaults and freezes the result', () => {
    const settings = readSettings(WorkerSettings, {});
    expect(settings.MILLRACE_SLOTS).toBe(32);
    expect(Object.isFrozen(settings)).toBe(true);
  });

  it('treats an empty variable as unset', () => {
    expect(readSettings(WorkerSettings, { MILLRACE_SLOTS: '' }).MILLRACE_SLOTS).toBe(32);
  });

  it('reports all problems at once, with name, value and remedy', () => {
    const attempt = () => readSettings(ApiSettings, { MILLRACE_HTTP_PORT: '99999', REDIS_URL: 'http://x' });
    expect(attempt).toThrow(ConfigurationError);
    expect(attempt).toThrow(/MILLRACE_HTTP_PORT is "99999"/);
    expect(attempt).toThrow(/REDIS_URL has an unusable value: must be a URL that begins with redis:/);
    expect(attempt).toThrow(/MILLRACE_DEV_KEY is not set/);
  });

  it('says what a value must be in plain words', () => {
    const read = (environment: Record<string, string>) => () => readSettings(WorkerSettings, environment);
    expect(read({ MILLRACE_SLOTS: 'many' })).toThrow('MILLRACE_SLOTS is "many": must be a number');
    expect(read({ MILLRACE_SLOTS: '1.5' })).toThrow('MILLRACE_SLOTS is "1.5": must be a whole number');
    expect(read({ MILLRACE_SLOTS: '0' })).toThrow('MILLRACE_SLOTS is "0": must be at least 1');
    expect(read({ MILLRACE_SLOTS: '2000' })).toThrow('MILLRACE_SLOTS is "2000": must be at most 1024');
    expect(read({ MILLRACE_RUNNER: 'x' })).toThrow('MILLRACE_RUNNER is "x": must be one of auto, c-api, js-api');
  });

  it('wants a secret for the webhook of the ledger', () => {
    const given = { MILLRACE_DEV_KEY: 'long-enough', MILLRACE_LEDGER_WEBHOOK_URL: 'https://billing.example/ledger' };
    expect(() => readSettings(ApiSettings, given)).toThrow(/MILLRACE_LEDGER_WEBHOOK_SECRET/);
    const whole = { ...given, MILLRACE_LEDGER_WEBHOOK_SECRET: '0123456789abcdef' };
    expect(readSettings(ApiSettings, whole).MILLRACE_LEDGER_WEBHOOK_URL).toBe(given.MILLRACE_LEDGER_WEBHOOK_URL);
    expect(() => readSettings(ApiSettings, { ...given, MILLRACE_LEDGER_WEBHOOK_SECRET: 'short' })).not.toThrow(
      /short"/,
    );
  });

  it('proposes no tokens unless asked to, and no more than sixteen', () => {
    expect(readSettings(WorkerSettings, {}).MILLRACE_SPECULATION_TOKENS).toBe('auto');
    expect(readSettings(WorkerSettings, { MILLRACE_SPECULATION_TOKENS: '0' }).MILLRACE_SPECULATION_TOKENS).toBe(0);
    expect(readSettings(WorkerSettings, { MILLRACE_SPECULATION_TOKENS: '16' }).MILLRACE_SPECULATION_TOKENS).toBe(16);
    const attempt = () => readSettings(WorkerSettings, { MILLRACE_SPECULATION_TOKENS: '17' });
    expect(attempt).toThrow(/MILLRACE_SPECULATION_TOKENS is "17".*16/);
  });

  it('captures graphs only where CUDA is tried first, through the C API', () => {
    const read = (environment: Record<string, string>) => () => readSettings(WorkerSettings, environment);
    expect(read({})().MILLRACE_CUDA_GRAPHS).toBe(0);
    expect(read({ MILLRACE_CUDA_GRAPHS: '32' })().MILLRACE_CUDA_GRAPHS).toBe(32);
    expect(read({ MILLRACE_EXECUTION_PROVIDERS: 'cpu', MILLRACE_CUDA_GRAPHS: '0' })).not.toThrow();
    const onCpu = read({ MILLRACE_CUDA_GRAPHS: '8', MILLRACE_EXECUTION_PROVIDERS: 'cpu' });
    expect(onCpu).toThrow(/MILLRACE_CUDA_GRAPHS is "8".*begins with cpu; let it begin with cuda, or set this to 0/);
    expect(read({ MILLRACE_CUDA_GRAPHS: '8', MILLRACE_EXECUTION_PROVIDERS: 'webgpu,cuda' })).toThrow(
      /begins with webgpu/,
    );
    expect(read({ MILLRACE_CUDA_GRAPHS: '8', MILLRACE_RUNNER: 'js-api' })).toThrow(
      /set MILLRACE_RUNNER to auto or c-api/,
    );
    expect(read({ MILLRACE_CUDA_GRAPHS: '129' })).toThrow(/MILLRACE_CUDA_GRAPHS is "129".*128/);
  });

  it('does not print secrets', () => {
    expect(() => readSettings(ApiSettings, { MILLRACE_DEV_KEY: 'short' })).not.toThrow(/short"/);
  });
});

describe('origins of pages', () => {
  const read = (text: string) =>
    readSettings(ApiSettings, { MILLRACE_DEV_KEY: 'key-of-8-or-more', MILLRACE_CORS_ORIGINS: text })
      .MILLRACE_CORS_ORIGINS;

  it('are taken as browsers send them, or all', () => {
    expect(read('https://app.example.com, http://localhost:5173')).toEqual([
      'https://app.example.com',
      'http://localhost:5173',
    ]);
    expect(read('*')).toEqual(['*']);
    expect(read('')).toBeUndefined();
  });

  it.each(['app.example.com', 'https://app.example.com/', 'https://app.example.com:443', 'null', 'https://a.example,'])(
    'are refused when no browser sends them: %s',
    (text) => expect(() => read(text)).toThrow(/is no origin; write scheme, host and port/),
  );

  it('are refused when all are named beside some', () => {
    expect(() => read('*,https://app.example.com')).toThrow(/\* means every origin/);
  });
});
