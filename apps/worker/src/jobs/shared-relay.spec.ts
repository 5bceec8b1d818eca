import { describe, expect, it } from 'vitest';
import { SharedRelay } from './shared-relay.ts';

const relay = () =>
  new SharedRelay({
    claim: async () => 'denied',
    reaches: () => false,
    publish: () => {},
    onCancel: () => {},
    onLost: () => {},
  });

describe('SharedRelay', () => {
  it('gives what is offered to the model that it is of, which says whether it takes it', () => {
    const shared = relay();
    const given: string[] = [];
    for (const [model, takes] of [
      ['full', false],
      ['free', true],
    ] as const) {
      shared.port(model).onOffer((job, due) => {
        given.push(`${model} ${job}${due ? ' due' : ''}`);
        return takes;
      });
    }
    expect(shared.take({ model: 'full', job: '1', due: true })).toBe(false);
    expect(shared.take({ model: 'free', job: '2', due: false })).toBe(true);
    expect(given).toEqual(['full 1 due', 'free 2']);
  });

  it('takes nothing of a model that it does not know, that does not listen, or that is gone', () => {
    const shared = relay();
    const offer = { model: 'm', job: '1', due: false };
    expect(shared.take(offer)).toBe(false);
    const port = shared.port('m');
    expect(shared.take(offer)).toBe(false);
    port.onOffer(() => true);
    expect(shared.take(offer)).toBe(true);
    port[Symbol.dispose]();
    expect(shared.take(offer)).toBe(false);
  });
});
