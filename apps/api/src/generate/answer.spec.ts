import { describe, expect, it } from 'vitest';
import { MillraceError, relay } from '#contracts';
import { Answer } from './answer.ts';
import type { AnswerListener } from './answer-listener.ts';

function recording() {
  const calls: unknown[][] = [];
  const listener: AnswerListener = {
    started: () => calls.push(['started']),
    text: (...call) => calls.push(['text', ...call]),
    choiceFinished: (...call) => calls.push(['choiceFinished', ...call]),
    ended: (...call) => calls.push(['ended', ...call]),
    failed: (error) => calls.push(['failed', error.code]),
  };
  return { calls, listener };
}

const delta = (choice: number, text: string, tokens = 1): relay.Delta => ({
  requestId: 'r',
  epoch: 1,
  choice,
  firstIndex: 0,
  tokenIds: Array.from({ length: tokens }, () => 1),
  text,
  logprobs: [],
});
const ONE_TOKEN = { ids: [1], logprobs: [] };
const finished = (choice: number, reason: relay.FinishReason, completionTokens: number): relay.Finished => ({
  requestId: 'r',
  epoch: 1,
  choice,
  reason,
  stopString: '',
  completionTokens,
  cachedPromptTokens: 2,
});
const usage = (completionTokens: number, cachedPromptTokens = 0) => ({
  promptTokens: 5,
  completionTokens,
  cachedPromptTokens,
});
const { FINISH_REASON_STOP, FINISH_REASON_LENGTH, FINISH_REASON_CANCELLED } = relay.FinishReason;

describe('Answer', () => {
  it('ends when the last choice has finished, with the tokens of all choices', async () => {
    const { calls, listener } = recording();
    const answer = new Answer(5, 2, listener);
    answer.granted('worker-1');
    answer.delta(delta(0, 'a'));
    answer.delta(delta(1, ''));
    answer.finished(finished(1, FINISH_REASON_LENGTH, 3));
    answer.finished({ ...finished(0, FINISH_REASON_STOP, 4), stopString: 'END' });
    expect(calls).toEqual([
      ['started'],
      ['text', 0, 'a', ONE_TOKEN, usage(1)],
      ['text', 1, '', ONE_TOKEN, usage(2)],
      ['choiceFinished', 1, { reason: 'length', stopString: null }, usage(4, 2)],
      ['choiceFinished', 0, { reason: 'stop', stopString: 'END' }, usage(7, 2)],
      ['ended', { promptTokens: 5, completionTokens: 7, cachedPromptTokens: 2 }],
    ]);
    expect(await answer.over).toBe('ended');
  });

  it('tells nobody anything once it is over', async () => {
    const { calls, listener } = recording();
    const answer = new Answer(5, 1, listener);
    answer.abandon();
    answer.delta(delta(0, 'late'));
    answer.finished(finished(0, FINISH_REASON_STOP, 1));
    answer.failed(new MillraceError('worker_lost', 'gone'));
    expect(calls).toEqual([]);
    expect(await answer.over).toBe('abandoned');
  });

  it('counts the tokens of a choice that never finished', () => {
    const answer = new Answer(5, 2, recording().listener);
    answer.delta(delta(0, 'abc', 3));
    answer.finished(finished(1, FINISH_REASON_STOP, 2));
    answer.abandon();
    expect(answer.usage.completionTokens).toBe(5);
  });

  it('fails when the worker cancelled a choice on its own', async () => {
    const { calls, listener } = recording();
    const answer = new Answer(5, 1, listener);
    answer.finished(finished(0, FINISH_REASON_CANCELLED, 1));
    expect(calls).toEqual([['failed', 'engine_failed']]);
    expect(await answer.over).toBe('failed');
  });

  it('gives each token of a character split over tokens its bytes, and never −∞', () => {
    const { calls, listener } = recording();
    const half = { tokenId: 1, logprob: Number.NEGATIVE_INFINITY, tokenBytes: Buffer.from([0xc3]) };
    new Answer(5, 1, listener).delta({ ...delta(0, ''), logprobs: [{ ...half, top: [half] }] });
    const expected = { id: 1, token: '\ufffd', bytes: [0xc3], logprob: -9999 };
    expect(calls).toEqual([['text', 0, '', { ids: [1], logprobs: [{ ...expected, top: [expected] }] }, usage(1)]]);
  });
});
