import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { redisKeys } from '#queue';

const files = readdirSync(new URL('.', import.meta.url)).filter((file) => file.endsWith('.lua'));
const read = (file: string) => readFileSync(new URL(file, import.meta.url), 'utf8');

describe('Lua scripts', () => {
  it.each(files)('%s binds each of its keys to a local name, and no other', (file) => {
    const [, count] = /-(\d+)\.lua$/.exec(file) ?? [];
    const bound = [...read(file).matchAll(/^local \w+ = KEYS\[(\d+)\]$/gm)].map((match) => Number(match[1]));
    expect(bound).toEqual(Array.from({ length: Number(count) }, (_, index) => index + 1));
    expect(read(file).match(/^local .*KEYS\[/gm)).toHaveLength(Number(count));
  });

  it.each(files)('%s begins with its guarantee and its keys', (file) => {
    expect(read(file)).toMatch(/^--\[\[[\s\S]*Guarantee:[\s\S]*KEYS\[1\][\s\S]*Returns[\s\S]*?\]\]/);
  });

  it('use keys of one slot of a Redis Cluster each', () => {
    const tag = (key: string) => /\{([^}]+)\}/.exec(key)?.[1];
    const ofTenant = [
      redisKeys.account('t'),
      redisKeys.rateWindow('t'),
      redisKeys.leases('t'),
      redisKeys.reservation('t', 'r'),
      redisKeys.grant('t', 'g'),
      redisKeys.ledger('t'),
      redisKeys.usage('t', '2026-01-01'),
    ];
    expect(new Set(ofTenant.map(tag))).toEqual(new Set(['t']));
    const model = 'org/model:1';
    const ofModel = [
      redisKeys.waiting(model),
      redisKeys.waitingOf(model, 't'),
      redisKeys.startTags(model),
      redisKeys.finishTags(model),
      redisKeys.fairClock(model),
      redisKeys.drain(model),
      redisKeys.appointments(model),
      redisKeys.appointmentsOf(model, 't'),
      redisKeys.prioritizedJobs(model),
      redisKeys.waitJobs(model),
      redisKeys.activeJobs(model),
      redisKeys.offered(model),
    ];
    expect(new Set(ofModel.map(tag)).size).toBe(1);
  });
});
