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
    expect(attempt).toThrow(/REDIS_URL has an unusable value/);
    expect(attempt).toThrow(/MILLRACE_DEV_KEY is not set/);
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
    expect(readSettings(WorkerSettings, {}).MILLRACE_SPECULATION_TOKENS).toBe(0);
    expect(readSettings(WorkerSettings, { MILLRACE_SPECULATION_TOKENS: '16' }).MILLRACE_SPECULATION_TOKENS).toBe(16);
    const attempt = () => readSettings(WorkerSettings, { MILLRACE_SPECULATION_TOKENS: '17' });
    expect(attempt).toThrow(/MILLRACE_SPECULATION_TOKENS is "17".*16/);
  });

  it('does not print secrets', () => {
    expect(() => readSettings(ApiSettings, { MILLRACE_DEV_KEY: 'short' })).not.toThrow(/short"/);
  });
});
