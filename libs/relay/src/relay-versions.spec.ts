import { afterEach, describe, expect, it } from 'vitest';
import { RelayReplicaV1, RelayWorkerV1 } from '../../../test/support/previous-release/relay-v1.ts';
import { delta, finished, frames } from './testing/frames.ts';
import { RecordingSink } from './testing/recording-sink.ts';
import { claimOf, eventually, RelayParts, TEST_TOKEN } from './testing/relay-parts.ts';

const parts = new RelayParts();
afterEach(() => parts[Symbol.asyncDispose]());

describe('a replica of this release', () => {
  it('takes the tokens of a worker of the previous one', async () => {
    const replica = await parts.replica();
    const worker = parts.add(new RelayWorkerV1(replica.address, TEST_TOKEN, 'old'));
    const sink = new RecordingSink();
    replica.open('r1', 1, 1, sink);
    expect(await worker.claim('r1', 1)).toBe(true);
    worker.say('r1', 1, 0, 'a');
    worker.say('r1', 1, 1, 'b');
    worker.finish('r1', 1, 2);
    await sink.until(({ ends }) => ends.length === 1);
    expect(sink.tokens()).toEqual([1, 1]);
  });

  it('does not give it an answer that began elsewhere, since it would begin anew', async () => {
    const replica = await parts.replica();
    const old = parts.add(new RelayWorkerV1(replica.address, TEST_TOKEN, 'old'));
    const sink = new RecordingSink();
    replica.open('r1', 2, 1, sink, [{ tokenIds: [7, 8], finished: false }]);
    expect(await old.claim('r1', 2)).toBe(false);
    const dialer = parts.worker();
    expect(await dialer.claim(claimOf(replica.address, 'r1', { epoch: 2 }))).toMatchObject({
      resume: [{ tokenIds: [7, 8] }],
    });
  });

  it('offers it nothing, since it would not know what to do with that', async () => {
    const replica = await parts.replica({ makesOffers: true });
    const old = parts.add(new RelayWorkerV1(replica.address, TEST_TOKEN, 'old'));
    expect(await old.claim('of nobody', 1)).toBe(false);
    const offer = { requestId: 'r1', epoch: 1, model: 'm', job: '{}', dueTenant: null };
    expect(
      replica.offer(
        offer,
        (takers) => takers[0]!,
        () => undefined,
      ),
    ).toBe(null);
  });
});

describe('a worker of this release', () => {
  it('speaks with a replica of the previous one, also a second time', async () => {
    const replica = parts.add(await RelayReplicaV1.listen());
    const changes: string[] = [];
    const dialer = parts.worker({ onReplica: ({ state }) => changes.push(state) });
    for (const requestId of ['r1', 'r2']) {
      expect(await dialer.claim(claimOf(replica.address, requestId))).toBe('granted');
      dialer.publish(frames({ deltas: [delta(requestId, 0, { text: requestId })], finished: [finished(requestId)] }));
    }
    await eventually(() => replica.finished.length === 2);
    expect(replica.text).toBe('r1r2');
    expect(changes).toEqual(['attached']);
  });

  it('tells it nothing of offers, at which it would end the stream', async () => {
    const replica = parts.add(await RelayReplicaV1.listen());
    const changes: string[] = [];
    const dialer = parts.worker({ takesOffersOf: ['m'], onReplica: ({ state }) => changes.push(state) });
    for (const requestId of ['r1', 'r2']) {
      expect(await dialer.claim(claimOf(replica.address, requestId))).toBe('granted');
      dialer.sayOffersTaken();
      dialer.publish(frames({ deltas: [delta(requestId, 0, { text: requestId })], finished: [finished(requestId)] }));
    }
    await eventually(() => replica.finished.length === 2);
    expect(replica.text).toBe('r1r2');
    expect(changes).toEqual(['attached']);
  });
});
