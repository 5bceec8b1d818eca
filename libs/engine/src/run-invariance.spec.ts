import { expect, it } from 'vitest';
import { Engine } from './engine.ts';
import type { EngineRequest } from './engine-request.ts';
import { CollectedAnswers } from './testing/collected-answers.ts';
import { DeliveredAnswer } from './testing/delivered-answer.ts';
import { HistoryModelRunner, type HistoryModelRunnerOptions } from './testing/history-model-runner.ts';
import { requestOf } from './testing/requests.ts';
import { numberedTokenTable } from './testing/token-tables.ts';

const VOCABULARY = 32;
const PROMPT = Array.from({ length: 20 }, (_, i) => (i * 7) % VOCABULARY);

function bareEngine(options: HistoryModelRunnerOptions = {}, kvTokens?: number) {
  const runner = new HistoryModelRunner({
    ...{ slots: 2, slotTokens: 256, blocks: 32, vocabularySize: VOCABULARY, runInvariant: true },
    ...options,
  });
  const engine = new Engine({ runner, tokenTable: numberedTokenTable(VOCABULARY), prefillChunkTokens: 64, kvTokens });
  return { runner, engine };
}

function engineOf(runInvariant: boolean, options: HistoryModelRunnerOptions = {}, kvTokens?: number) {
  const { runner, engine } = bareEngine({ runInvariant, ...options }, kvTokens);
  const collected = new CollectedAnswers(engine);
  const answer = async (request: EngineRequest) => {
    engine.submit(request);
    await engine.runUntilIdle();
    return collected.answer(request.requestId, 0);
  };
  return { runner, engine, collected, answer };
}

const asking = (id: string, tokenIds: readonly number[], maxTokens: number, more: Partial<EngineRequest> = {}) =>
  requestOf(id, tokenIds, { stop: { tokenIds: [], strings: [], maxTokens }, ...more });

it("computes nothing of a chat's last answer again where decode runs have a prompt's bits", async () => {
  for (const runInvariant of [true, false]) {
    const { answer } = engineOf(runInvariant);
    const first = await answer(asking('first', PROMPT, 27));
    const next = [...PROMPT, ...first.tokenIds, 3, 1, 4];
    const second = await answer(asking('second', next, 5));
    // The last token of an answer is computed by nobody.
    expect(second.finish?.cachedPromptTokens).toBe(runInvariant ? PROMPT.length + 26 : PROMPT.length);
    expect(second.tokenIds).toEqual((await engineOf(runInvariant).answer(asking('alone', next, 5))).tokenIds);
  }
});

it('keeps what a cancelled answer had', async () => {
  const { engine, collected, answer } = engineOf(true);
  engine.submit(asking('left', PROMPT, 200));
  for (let step = 0; step < 25; step++) await engine.step();
  engine.cancel('left', 1);
  await engine.runUntilIdle();
  const said = collected.answer('left', 0).tokenIds;
  expect(said.length).toBeGreaterThan(20);
  const again = await answer(asking('again', [...PROMPT, ...said, 5], 4));
  expect(again.finish?.cachedPromptTokens).toBe(PROMPT.length + said.length - 1);
});

it('keeps nothing more of an answer that was cancelled while its run failed', async () => {
  const { runner, engine, collected, answer } = engineOf(true, { asynchronous: true });
  engine.submit(asking('left', PROMPT, 200));
  for (let step = 0; step < 25; step++) await engine.step();
  const step = engine.step();
  engine.cancel('left', 1);
  runner.failNext = new Error('broken');
  await step;
  await engine.runUntilIdle();
  const said = collected.answer('left', 0).tokenIds;
  const again = await answer(asking('again', [...PROMPT, ...said, 5], 4));
  // The blocks that became whole before.
  expect(again.finish?.cachedPromptTokens).toBe(Math.floor((PROMPT.length + said.length - 1) / 16) * 16);
});

it('gives up answers too that begin like a prompt whose runs fail', async () => {
  const { runner, answer } = engineOf(true);
  const { tokenIds } = await answer(asking('good', PROMPT, 40));
  runner.failNext = new Error('broken');
  await answer(asking('bad', PROMPT, 4));
  const after = await answer(asking('after', [...PROMPT, ...tokenIds, 5], 4));
  expect(after.finish?.cachedPromptTokens).toBe(0);
});

it('goes on behind delivered tokens by a prompt of them, to the same answer', async () => {
  const whole = await engineOf(true).answer(asking('whole', PROMPT, 40));
  const answer = new DeliveredAnswer('cut', 1);
  const first = bareEngine();
  const stopFollowing = answer.follow(first.engine);
  first.engine.submit(asking('cut', PROMPT, 40));
  for (let step = 0; step < 30; step++) await first.engine.step();
  stopFollowing();
  const { resume } = answer;
  const second = bareEngine();
  answer.follow(second.engine);
  second.engine.submit(asking('cut', PROMPT, 40, { epoch: 2, resume }));
  await second.engine.runUntilIdle();
  expect(answer.resume).toEqual([{ tokenIds: whole.tokenIds, finished: true }]);
  const delivered = resume[0]?.tokenIds.length ?? 0;
  expect(delivered).toBeGreaterThan(20);
  const decodes = new Array(40 - delivered - 1).fill('decode rows=1');
  expect(second.runner.log).toEqual([`prefill slot=0 past=0 tokens=${PROMPT.length + delivered}`, ...decodes]);
});

it('computes what it lost for want of memory as a prompt, and gives the same answers', async () => {
  const requests = [1, 2].map((n) => asking(`r${n}`, [...PROMPT, n], 120, { tenantId: `t${n}` }));
  const { engine, runner, collected } = engineOf(true, { blocks: 0 }, 272);
  for (const request of requests) engine.submit(request);
  await engine.runUntilIdle();
  expect(engine.stats().preemptionsTotal).toBeGreaterThan(0);
  const decodes = runner.log.filter((run) => run.startsWith('decode')).length;
  // Each run gives a token: none catches up.
  expect(decodes).toBeLessThanOrEqual(2 * 119);
  for (const request of requests) {
    const alone = await engineOf(true, { blocks: 0 }).answer(request);
    expect(collected.answer(request.requestId, 0).tokenIds).toEqual(alone.tokenIds);
  }
});
