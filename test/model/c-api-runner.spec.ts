import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { openModelRunner, RunInterruptedError } from '#model-runner';
import { interruptRun } from '#model-runner/process';
import { fixtureModel } from './fixture-models.ts';

const { modelFile } = fixtureModel('tiny-llama');

function openHere(slots = 8, slotTokens = 512) {
  return openModelRunner({ modelFile, slots, slotTokens, threads: 1, binding: 'c-api', maxChunkTokens: 64 });
}

function startThread(prefillUntilInterrupted: boolean): Worker {
  return new Worker(new URL('./runner-thread.ts', import.meta.url), {
    workerData: { modelFile, prefillUntilInterrupted },
    execArgv: ['--conditions=millrace-source'],
  });
}

it('stops a run from another thread, and the runner works afterwards', async () => {
  const thread = startThread(true);
  const exit = once(thread, 'exit'); // may come in the same turn as the last message
  const [{ interruptAddress }] = await once(thread, 'message');
  expect(typeof interruptAddress).toBe('bigint');
  interruptRun(interruptAddress);
  const [ending] = await once(thread, 'message');
  expect(ending).toEqual({ outcome: 'run_interrupted', works: true });
  await exit;
});

it('stops the next run when none is running, once', async () => {
  const runner = await openHere();
  const token = Int32Array.of(1);
  interruptRun(runner.interruptAddress!);
  expect(() => runner.decode(1, token, token)).toThrow(RunInterruptedError);
  await runner.decode(1, token, token);
  await runner.close();
});

it('serves several threads of one process, which may come and go', async () => {
  const here = await openHere();
  const token = Int32Array.of(1);
  for (let round = 0; round < 3; round++) {
    const threads = [startThread(false), startThread(false)];
    const endings = await Promise.all(
      threads.map(async (thread) => {
        const messages: unknown[] = [];
        thread.on('message', (message) => messages.push(message));
        await once(thread, 'exit');
        return messages.at(-1);
      }),
    );
    expect(endings).toEqual([
      { outcome: 'not interrupted', works: true },
      { outcome: 'not interrupted', works: true },
    ]);
    await here.decode(1, token, token);
  }
  await here.close();
});

it('refuses calls after it was closed, and a second close does nothing', async () => {
  const runner = await openHere();
  await runner.close();
  await runner.close();
  expect(() => runner.decode(1, Int32Array.of(1), Int32Array.of(0))).toThrow(/closed/);
  expect(() => runner.prefill(0, Int32Array.of(1), 0)).toThrow(/closed/);
});

it('does not grow over 10,000 decode steps with changing rows and lengths', async () => {
  const runner = await openHere();
  const tokens = Int32Array.from({ length: 8 }, (_, i) => i + 1);
  const pasts = new Int32Array(8);
  const step = (i: number) => {
    for (let row = 0; row < 8; row++) pasts[row] = (i + row * 31) % 500;
    runner.decode(1 + (i % 8), tokens, pasts);
    if (i % 50 === 0) runner.prefill(i % 8, tokens, 0);
  };
  for (let i = 0; i < 2_000; i++) step(i);
  const before = process.memoryUsage().rss;
  for (let i = 0; i < 10_000; i++) step(i);
  expect((process.memoryUsage().rss - before) / 2 ** 20).toBeLessThan(24);
  await runner.close();
});

it('frees what it took when it is closed', async () => {
  const openUseClose = async () => {
    const runner = await openHere(8, 512);
    await runner.prefill(0, Int32Array.of(1, 2, 3), 0);
    await runner.close();
  };
  for (let i = 0; i < 20; i++) await openUseClose();
  const before = process.memoryUsage().rss;
  for (let i = 0; i < 100; i++) await openUseClose();
  expect((process.memoryUsage().rss - before) / 2 ** 20).toBeLessThan(64);
});

it('writes what the operators of its runs took as it closes, where a profile is asked for', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-profile-'));
  try {
    const size = { slots: 1, slotTokens: 64, threads: 1, maxChunkTokens: 8 };
    const runner = await openModelRunner({
      modelFile,
      ...size,
      binding: 'c-api',
      profilePrefix: join(folder, 'runs'),
    });
    await runner.prefill(0, Int32Array.of(1, 2, 3), 0);
    await runner.close();
    const [file] = readdirSync(folder);
    const events: { name: string; dur: number }[] = JSON.parse(readFileSync(join(folder, file!), 'utf8'));
    const [last] = events.filter(({ name }) => name === 'model_run').slice(-1);
    expect(last!.dur).toBeGreaterThan(0);
    expect(events.some(({ name }) => name.includes('GroupQueryAttention'))).toBe(true);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
