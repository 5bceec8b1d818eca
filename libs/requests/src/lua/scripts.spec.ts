import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { redisKeys } from '#queue';

const files = readdirSync(new URL('.', import.meta.url)).filter((file) => file.endsWith('.lua'));
const read = (file: string) => readFileSync(new URL(file, import.meta.url), 'utf8');

describe('Lua scripts of kept answers', () => {
  it.each(files)('%s binds each of its keys to a local name, and no other', (file) => {
    const [, count] = /-(\d+)\.lua$/.exec(file) ?? [];
    const bound = [...read(file).matchAll(/^local \w+ = KEYS\[(\d+)\]$/gm)].map((match) => Number(match[1]));
    expect(bound).toEqual(Array.from({ length: Number(count) }, (_, index) => index + 1));
  });

  it.each(files)('%s begins with its guarantee and its keys', (file) => {
    expect(read(file)).toMatch(/^--\[\[[\s\S]*Guarantee:[\s\S]*KEYS\[1\][\s\S]*Returns[\s\S]*?\]\]/);
  });

  it('use keys of one slot of a Redis Cluster each', () => {
    const ofTenant = [
      redisKeys.requestRecord('t', 'r'),
      redisKeys.requestIndex('t'),
      redisKeys.keptAnswer('t', 'r'),
      redisKeys.keptFrames('t', 'r'),
      redisKeys.keptIndex('t'),
      redisKeys.keptBytes('t'),
      redisKeys.idempotencyKey('t', 'k'),
    ];
    expect(new Set(ofTenant.map((key) => /\{([^}]+)\}/.exec(key)?.[1]))).toEqual(new Set(['t']));
  });
});
