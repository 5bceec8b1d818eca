import { describe, expect, it } from 'vitest';
import { ConsumptionWatch } from './consumption-watch.ts';

const beats = (watch: ConsumptionWatch, count: number, shouldConsume: boolean, consumes: boolean) => {
  for (let beat = 0; beat < count; beat++) watch.beat(shouldConsume, consumes);
};

describe('ConsumptionWatch', () => {
  it('finds a worker whose heartbeats reach Redis while it takes no jobs', () => {
    const watch = new ConsumptionWatch();
    beats(watch, 29, true, false);
    expect(watch.problem).toBeNull();
    beats(watch, 1, true, false);
    expect(watch.problem).toMatch(/for 30 heartbeats no jobs have been taken/);
    beats(watch, 1, true, true);
    expect(watch.problem).toBeNull();
  });

  it('has nothing to say of a worker that is not meant to take jobs', () => {
    const watch = new ConsumptionWatch();
    beats(watch, 100, false, false);
    expect(watch.problem).toBeNull();
  });
});
