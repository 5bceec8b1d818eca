import { afterEach, describe, expect, it } from 'vitest';
import { relay } from '#contracts';
import { delta, finished, frames } from './testing/frames.ts';
import { RecordingSink } from './testing/recording-sink.ts';
import { claimOf, eventually, RelayParts } from './testing/relay-parts.ts';

const parts = new RelayParts();
afterEach(() => parts[Symbol.asyncDispose]());

describe('the relay', () => {
  it('brings the tokens of a granted request to its sink, in order, up to its end', async () => {
    const server = await parts.replica();
    const dialer = parts.worker();
    const sink = new RecordingSink();
    server.open('r1', 1, 1, sink);
    expect(await dialer.claim(claimOf(server.address, 'r1'))).toBe('granted');
    expect(sink.workers).toEqual(['w1']);
    for (let index = 0; index < 10; index += 1) dialer.publish(frames({ step: index, deltas: [delta('r1', index)] }));
    dialer.publish(frames({ finished: [finished('r1', { completionTokens: 10 })] }));
    await sink.until(({ ends }) => ends.length === 1);
    expect(sink.tokens()).toEqual([100, 101, 102, 103, 104, 105, 106, 107, 108, 109]);
    expect(sink.ends[0]?.completionTokens).toBe(10);
    expect(sink.errors).toEqual([]);
    expect(server.stats()).toMatchObject({ openRequests: 0, streams: 1, tokensTotal: 10 });
    expect(dialer.stats()).toMatchObject({ claims: 0, streams: 1, droppedFramesTotal: 0 });
  });

  it('carries text in any script, log probabilities and several choices unchanged', async () => {
    const server = await parts.replica();
    const dialer = parts.worker();
    const sink = new RecordingSink();
    server.open('r1', 1, 2, sink);
    await dialer.claim(claimOf(server.address, 'r1', { choices: 2 }));
    const top = [{ tokenId: 7, logprob: -0.25, tokenBytes: Buffer.from([0xf0, 0x9f]) }];
    const logprobs = [{ tokenId: 100, logprob: -1.5, tokenBytes: Buffer.from('é'), top }];
    dialer.publish(
      frames({ deltas: [delta('r1', 0, { text: 'é 日本 🙂\u0000', logprobs }), delta('r1', 0, { choice: 1 })] }),
    );
    dialer.publish(frames({ finished: [finished('r1'), finished('r1', { choice: 1, stopString: 'END' })] }));
    await sink.until(({ ends }) => ends.length === 2);
    expect(sink.deltas[0]).toMatchObject({ text: 'é 日本 🙂\u0000', logprobs });
    expect(sink.ends.map(({ choice, stopString }) => [choice, stopString])).toEqual([
      [0, ''],
      [1, 'END'],
    ]);
  });

  it('sends one message per replica and step, however many requests the step is for', async () => {
    const replicas = [await parts.replica({ replicaId: 'a' }), await parts.replica({ replicaId: 'b' })];
    const dialer = parts.worker();
    const ids = Array.from({ length: 16 }, (_, index) => `r${index}`);
    const sinks = ids.map(() => new RecordingSink());
    for (const [index, id] of ids.entries()) {
      const server = replicas[index % 2]!;
      server.open(id, 1, 1, sinks[index]!);
      expect(await dialer.claim(claimOf(server.address, id))).toBe('granted');
    }
    const before = dialer.stats().messagesTotal;
    for (let step = 0; step < 5; step += 1) dialer.publish(frames({ step, deltas: ids.map((id) => delta(id, step)) }));
    await Promise.all(sinks.map((sink) => sink.until((heard) => heard.deltas.length === 5)));
    expect(dialer.stats()).toMatchObject({ streams: 2, messagesTotal: before + 10 });
    expect(sinks.every((sink) => sink.tokens().join() === '100,101,102,103,104')).toBe(true);
  });

  it('keeps the requests of several workers apart', async () => {
    const server = await parts.replica();
    const workers = ['a', 'b', 'c'].map((workerId) => parts.worker({ workerId }));
    const sinks = workers.map(() => new RecordingSink());
    for (const [index, dialer] of workers.entries()) {
      server.open(`r${index}`, 1, 1, sinks[index]!);
      expect(await dialer.claim(claimOf(server.address, `r${index}`))).toBe('granted');
      dialer.publish(frames({ deltas: [delta(`r${index}`, 0, { text: `from ${index}` })] }));
    }
    await Promise.all(sinks.map((sink) => sink.until((heard) => heard.deltas.length === 1)));
    expect(sinks.map((sink) => [sink.workers[0], sink.text])).toEqual([
      ['a', 'from 0'],
      ['b', 'from 1'],
      ['c', 'from 2'],
    ]);
    expect(server.stats().workers.map(({ workerId, granted }) => [workerId, granted])).toEqual([
      ['a', 1],
      ['b', 1],
      ['c', 1],
    ]);
  });

  it('sends what is made before the answer to a claim behind the claim, and it is delivered in order', async () => {
    const server = await parts.replica();
    const dialer = parts.worker();
    expect(dialer.reaches(server.address)).toBe(false);
    await dialer.claim(claimOf(server.address, 'dials the stream'));
    expect(dialer.reaches(server.address)).toBe(true);
    const sink = new RecordingSink();
    server.open('r1', 1, 1, sink);
    const before = dialer.stats().messagesTotal;
    const claiming = dialer.claim(claimOf(server.address, 'r1'));
    for (let index = 0; index < 3; index += 1) dialer.publish(frames({ step: index, deltas: [delta('r1', index)] }));
    expect(dialer.stats().messagesTotal).toBe(before + 4);
    expect(await claiming).toBe('granted');
    dialer.publish(frames({ deltas: [delta('r1', 3)], finished: [finished('r1', { completionTokens: 4 })] }));
    await sink.until(({ ends }) => ends.length === 1);
    expect(sink.tokens()).toEqual([100, 101, 102, 103]);
    expect(dialer.stats()).toMatchObject({ claims: 0, droppedFramesTotal: 0, messagesTotal: before + 5 });
  });

  it('sends a whole answer before its grant, and holds the claim until then', async () => {
    const server = await parts.replica();
    const dialer = parts.worker();
    await dialer.claim(claimOf(server.address, 'dials the stream'));
    const sink = new RecordingSink();
    server.open('r1', 1, 1, sink);
    const claiming = dialer.claim(claimOf(server.address, 'r1'));
    dialer.publish(frames({ deltas: [delta('r1', 0)] }));
    dialer.publish(frames({ finished: [finished('r1')] }));
    expect(dialer.stats().claims).toBe(1);
    expect(await claiming).toBe('granted');
    await sink.until(({ ends }) => ends.length === 1);
    expect(sink.tokens()).toEqual([100]);
    expect(dialer.stats().claims).toBe(0);
    expect(server.stats().openRequests).toBe(0);
  });

  it('sends the failure of an attempt before its grant, and nothing that came behind it', async () => {
    const server = await parts.replica();
    const dialer = parts.worker();
    await dialer.claim(claimOf(server.address, 'dials the stream'));
    const sink = new RecordingSink();
    server.open('r1', 1, 1, sink);
    const claiming = dialer.claim(claimOf(server.address, 'r1'));
    const failed = { requestId: 'r1', epoch: 1, code: 'worker_draining', message: 'It shuts down.' };
    dialer.publish(frames({ deltas: [delta('r1', 0)] }));
    dialer.publish(frames({ failed: [failed] }));
    dialer.publish(frames({ finished: [finished('r1', { reason: relay.FinishReason.FINISH_REASON_CANCELLED })] }));
    expect(await claiming).toBe('granted');
    await sink.until(({ errors }) => errors.length === 1);
    expect(sink.errors[0]).toMatchObject({ code: 'worker_draining' });
    expect(sink.ends).toEqual([]);
    expect(sink.tokens()).toEqual([100]);
    expect(dialer.stats()).toMatchObject({ claims: 0, droppedFramesTotal: 1 });
  });

  it('refuses what is made before a claim is denied, so that no sink hears of it', async () => {
    const server = await parts.replica();
    const [first, second] = [parts.worker(), parts.worker({ workerId: 'w2' })];
    await second.claim(claimOf(server.address, 'dials the stream'));
    const sink = new RecordingSink();
    server.open('held', 1, 1, sink);
    expect(await first.claim(claimOf(server.address, 'held'))).toBe('granted');
    const claiming = ['gone', 'held'].map((id) => second.claim(claimOf(server.address, id)));
    for (const id of ['gone', 'held']) second.publish(frames({ deltas: [delta(id, 0)], finished: [finished(id)] }));
    expect(await Promise.all(claiming)).toEqual(['denied', 'denied']);
    await eventually(() => server.stats().refusedTotal.foreign_worker === 2);
    expect(server.stats().refusedTotal).toMatchObject({ unknown_request: 2 });
    first.publish(frames({ deltas: [delta('held', 0)], finished: [finished('held')] }));
    await sink.until(({ ends }) => ends.length === 1);
    expect(sink.tokens()).toEqual([100]);
    expect(sink.errors).toEqual([]);
    expect(second.stats()).toMatchObject({ claims: 0, droppedFramesTotal: 0 });
  });

  it('denies a claim whose request is not open, was disposed, or has another epoch', async () => {
    const server = await parts.replica();
    const dialer = parts.worker();
    expect(await dialer.claim(claimOf(server.address, 'never-open'))).toBe('denied');
    server.open('gone', 1, 1, new RecordingSink())[Symbol.dispose]();
    expect(await dialer.claim(claimOf(server.address, 'gone'))).toBe('denied');
    server.open('newer', 2, 1, new RecordingSink());
    expect(await dialer.claim(claimOf(server.address, 'newer', { epoch: 1 }))).toBe('denied');
    expect(await dialer.claim(claimOf(server.address, 'newer', { epoch: 2 }))).toBe('granted');
  });

  it('grants an attempt once, so that a job delivered twice runs once', async () => {
    const server = await parts.replica();
    const [first, second] = [parts.worker({ workerId: 'a' }), parts.worker({ workerId: 'b' })];
    server.open('r1', 1, 1, new RecordingSink());
    const claim = claimOf(server.address, 'r1');
    const outcomes = await Promise.all([first.claim(claim), second.claim(claim), first.claim(claim)]);
    expect(outcomes.filter((outcome) => outcome === 'granted')).toHaveLength(1);
  });

  it('hands an attempt back when the grant comes after the worker has given up on its claim', async () => {
    const server = await parts.replica();
    const dialer = parts.worker({ claimTimeoutMs: 60 });
    await dialer.claim(claimOf(server.address, 'dials the stream'));
    await eventually(() => server.stats().streams === 1);
    const sink = new RecordingSink();
    sink.granted = () => {
      const until = performance.now() + 150;
      while (performance.now() < until); // holds the loop, so the worker's time is over before it can read the grant
    };
    server.open('r1', 1, 1, sink);
    expect(await dialer.claim(claimOf(server.address, 'r1'))).toBe('denied');
    await sink.until(({ errors }) => errors.length === 1);
    expect(sink.errors[0]?.code).toBe('worker_lost');
    expect(dialer.stats().claims).toBe(0);
  });

  it('lets a newer epoch replace an open one and drops what the older worker still sends', async () => {
    const server = await parts.replica();
    const [first, second] = [parts.worker({ workerId: 'a' }), parts.worker({ workerId: 'b' })];
    const cancels: string[] = [];
    first.onCancel((requestId, epoch) => cancels.push(`${requestId}/${epoch}`));
    const [older, newer] = [new RecordingSink(), new RecordingSink()];
    server.open('r1', 1, 1, older);
    await first.claim(claimOf(server.address, 'r1'));
    server.open('r1', 2, 1, newer);
    expect(await second.claim(claimOf(server.address, 'r1', { epoch: 2 }))).toBe('granted');
    await eventually(() => cancels.length === 1);
    first.publish(frames({ deltas: [delta('r1', 0, { text: 'old' })] }));
    await eventually(() => server.stats().refusedTotal.stale_epoch === 1);
    second.publish(frames({ deltas: [delta('r1', 0, { epoch: 2, text: 'new' })] }));
    await newer.until(({ deltas }) => deltas.length === 1);
    expect([older.text, newer.text]).toEqual(['', 'new']);
    expect(cancels).toEqual(['r1/1']);
    expect(() => server.open('r1', 2, 1, newer)).toThrow(/already open .* epoch 2/);
  });

  it('tells the next worker what was delivered, and takes only what comes behind it', async () => {
    const server = await parts.replica();
    const [first, second] = [parts.worker({ workerId: 'a' }), parts.worker({ workerId: 'b' })];
    const [older, newer] = [new RecordingSink(), new RecordingSink()];
    server.open('r1', 1, 3, older);
    await first.claim(claimOf(server.address, 'r1', { choices: 3 }));
    first.publish(
      frames({ deltas: [delta('r1', 0, { tokenIds: [7, 8] })], finished: [finished('r1', { choice: 1 })] }),
    );
    await older.until(({ ends }) => ends.length === 1);
    const resume = [
      { tokenIds: [7, 8], finished: false },
      { tokenIds: [], finished: true },
      { tokenIds: [], finished: false },
    ];
    server.open('r1', 2, 3, newer, resume);
    expect(await second.claim(claimOf(server.address, 'r1', { epoch: 2, choices: 3 }))).toEqual({ resume });
    second.publish(
      frames({
        deltas: [delta('r1', 2, { epoch: 2, tokenIds: [9] }), delta('r1', 0, { epoch: 2, choice: 2, tokenIds: [5] })],
        finished: [finished('r1', { epoch: 2 }), finished('r1', { epoch: 2, choice: 2 })],
      }),
    );
    await newer.until(({ ends }) => ends.length === 2);
    expect([newer.tokens(0), newer.tokens(2)]).toEqual([[9], [5]]);
    expect(newer.errors).toEqual([]);
    expect(server.stats().openRequests).toBe(0);
    expect(second.stats().claims).toBe(0);
  });

  it('refuses a worker that repeats what was delivered before it', async () => {
    const server = await parts.replica();
    const dialer = parts.worker();
    const sink = new RecordingSink();
    server.open('r1', 2, 1, sink, [{ tokenIds: [7, 8], finished: false }]);
    await dialer.claim(claimOf(server.address, 'r1', { epoch: 2 }));
    dialer.publish(frames({ deltas: [delta('r1', 0, { epoch: 2 })] }));
    await sink.until(({ errors }) => errors.length === 1);
    expect(sink.errors[0]).toMatchObject({ code: 'engine_failed', refusal: 'repeated_index' });
    expect(sink.deltas).toEqual([]);
  });

  it('tells the worker to stop when a subscription is cancelled, and still delivers the end', async () => {
    const server = await parts.replica();
    const dialer = parts.worker();
    dialer.onCancel((requestId, epoch, reason) => {
      dialer.publish(frames({ finished: [finished(requestId, { epoch, stopString: reason })] }));
    });
    const sink = new RecordingSink();
    const subscription = server.open('r1', 1, 1, sink);
    await dialer.claim(claimOf(server.address, 'r1'));
    subscription.cancel('client closed');
    await sink.until(({ ends }) => ends.length === 1);
    expect(sink.ends[0]?.stopString).toBe('client closed');
  });

  it('stops the worker and refuses its frames when a running subscription is disposed', async () => {
    const server = await parts.replica();
    const dialer = parts.worker();
    const cancelled = new Promise<string>((resolve) => dialer.onCancel((requestId) => resolve(requestId)));
    const sink = new RecordingSink();
    const subscription = server.open('r1', 1, 1, sink);
    await dialer.claim(claimOf(server.address, 'r1'));
    subscription[Symbol.dispose]();
    expect(await cancelled).toBe('r1');
    dialer.publish(frames({ deltas: [delta('r1', 0)] }));
    await eventually(() => server.stats().refusedTotal.unknown_request === 1);
    expect(sink.deltas).toEqual([]);
  });

  it('fails the attempt with the worker’s own error, and with engine_failed when its code is unknown', async () => {
    const server = await parts.replica();
    const dialer = parts.worker();
    for (const [code, expected] of [
      ['context_length_exceeded', 'context_length_exceeded'],
      ['made_up', 'engine_failed'],
    ] as const) {
      const sink = new RecordingSink();
      server.open(code, 1, 1, sink);
      await dialer.claim(claimOf(server.address, code));
      dialer.publish(frames({ failed: [{ requestId: code, epoch: 1, code, message: 'too long' }] }));
      await sink.until(({ errors }) => errors.length === 1);
      expect(sink.errors[0]).toMatchObject({ code: expected, message: 'too long' });
    }
    expect(dialer.stats().claims).toBe(0);
  });

  it('drops frames of attempts it holds no grant for at the worker already', async () => {
    const dialer = parts.worker();
    dialer.publish(frames({ deltas: [delta('r1', 0)], finished: [finished('r1')] }));
    expect(dialer.stats()).toMatchObject({ droppedFramesTotal: 2, messagesTotal: 0 });
  });

  it('closes a stream that no claim has used for the idle time, and dials again for the next claim', async () => {
    const server = await parts.replica();
    const dialer = parts.worker({ idleMs: 50 });
    expect(await dialer.claim(claimOf(server.address, 'no-such'))).toBe('denied');
    await eventually(() => server.stats().streams === 0);
    server.open('r1', 1, 1, new RecordingSink());
    expect(await dialer.claim(claimOf(server.address, 'r1'))).toBe('granted');
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(server.stats().streams).toBe(1);
  });

  it('lets open requests end within the grace time when the replica closes, and fails the rest', async () => {
    const server = await parts.replica();
    const dialer = parts.worker();
    const [quick, slow] = [new RecordingSink(), new RecordingSink()];
    server.open('quick', 1, 1, quick);
    server.open('slow', 1, 1, slow);
    await dialer.claim(claimOf(server.address, 'quick'));
    await dialer.claim(claimOf(server.address, 'slow'));
    const closing = server.close(300);
    expect(() => server.open('late', 1, 1, new RecordingSink())).toThrow(/stopping/);
    dialer.publish(frames({ deltas: [delta('quick', 0)], finished: [finished('quick')] }));
    await closing;
    expect(quick.ends).toHaveLength(1);
    expect(slow.errors[0]?.code).toBe('unavailable');
    await eventually(() => dialer.stats().streams === 0);
  });

  it('delivers what a worker published before it closed, then reports the rest as lost', async () => {
    const server = await parts.replica();
    const dialer = parts.worker();
    const sink = new RecordingSink();
    server.open('r1', 1, 1, sink);
    await dialer.claim(claimOf(server.address, 'r1'));
    for (let index = 0; index < 200; index += 1) dialer.publish(frames({ deltas: [delta('r1', index)] }));
    await dialer.close();
    await sink.until(({ errors }) => errors.length === 1);
    expect(sink.deltas).toHaveLength(200);
    expect(sink.errors[0]).toMatchObject({ code: 'worker_lost', workerId: 'w1' });
    expect(await dialer.claim(claimOf(server.address, 'r1'))).toBe('denied');
  });

  it('ends only the request whose sink throws', async () => {
    const server = await parts.replica();
    const dialer = parts.worker();
    const [bad, good] = [new RecordingSink(), new RecordingSink()];
    bad.delta = () => {
      throw new Error('client is gone');
    };
    server.open('bad', 1, 1, bad);
    server.open('good', 1, 1, good);
    await dialer.claim(claimOf(server.address, 'bad'));
    await dialer.claim(claimOf(server.address, 'good'));
    dialer.publish(frames({ deltas: [delta('bad', 0), delta('good', 0)] }));
    await good.until(({ deltas }) => deltas.length === 1);
    expect(bad.errors[0]?.code).toBe('internal_error');
  });
});
