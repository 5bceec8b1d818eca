import { describe, expect, it } from 'vitest';
import { CollectedAnswers } from '../testing/collected-answers.ts';
import type { HistoryEngineThreadData } from '../testing/history-engine-thread.ts';
import { requestOf } from '../testing/requests.ts';
import { EngineStartLateError } from './engine-start-late-error.ts';
import { type EngineLoss, EngineSupervisor } from './engine-supervisor.ts';
import { EngineThread } from './engine-thread.ts';
import { EngineThreadStuckError } from './engine-thread-stuck-error.ts';

const ENTRY = new URL('../testing/history-engine-thread.ts', import.meta.url);
const DATA: HistoryEngineThreadData = { slots: 4, vocabularySize: 32, slotTokens: 2_000 };

/** So much longer than a step that a busy machine does not take a thread for hanging. */
const STEP_LIMIT_MS = 1_000;

/** Threads that do, one after another, what `lives` says; the last of them again and again. */
async function supervise(
  lives: Partial<HistoryEngineThreadData>[],
  { replacements = 3, startLimitMs = 20_000 }: { replacements?: number; startLimitMs?: number } = {},
) {
  let started = 0;
  const losses: EngineLoss[] = [];
  const supervisor = await EngineSupervisor.start({
    replacements,
    startLimitMs,
    start: (startLimitMs, startSignal) => {
      const life = lives[Math.min(started, lives.length - 1)];
      started += 1;
      const data = { ...DATA, ...life };
      return EngineThread.start(ENTRY, data, {
        execArgv: ['--conditions=millrace-source'],
        stepLimitMs: STEP_LIMIT_MS,
        startLimitMs,
        startSignal,
      });
    },
  });
  const lost = new Promise<EngineLoss>((resolve) => {
    supervisor.onLoss((loss) => {
      losses.push(loss);
      resolve(loss);
    });
  });
  const fatal = new Promise<Error>((resolve) => supervisor.onFatal(resolve));
  return { supervisor, answers: new CollectedAnswers(supervisor), losses, lost, fatal };
}

const request = (id: string) => requestOf(id, [1, 2, 3]);

describe('EngineSupervisor', () => {
  it('replaces a thread that crashes, and serves again', async () => {
    const { supervisor, answers, lost } = await supervise([{ crashAtRun: 2 }, {}]);
    await using _ = supervisor;
    supervisor.submit(request('a'));
    const loss = await lost;
    expect(loss.error.message).toContain('it exited with code 3');
    expect(supervisor.stats()).toMatchObject({ running: 0, freeSlots: 0 });
    await loss.replaced;
    supervisor.submit(request('b'));
    await expect.poll(() => answers.answer('b').finish).not.toBeNull();
    expect(supervisor.replacedTotal).toBe(1);
    expect(supervisor.stats().freeSlots).toBe(4);
  });

  it('replaces a thread that hangs, and says how long it was silent', async () => {
    const { supervisor, answers, lost } = await supervise([{ hangAtRun: 3 }, {}]);
    await using _ = supervisor;
    supervisor.submit(request('a'));
    const loss = await lost;
    expect(loss.error.message).toMatch(/it has ended no step for \d+ ms, and 1000 ms are allowed/);
    await loss.replaced;
    supervisor.submit(request('b'));
    await expect.poll(() => answers.answer('b').finish).not.toBeNull();
  });

  it('leaves a thread alone whose steps are long, and one that has nothing to do', async () => {
    const { supervisor, answers, losses } = await supervise([{ runMs: STEP_LIMIT_MS / 2 }]);
    await using _ = supervisor;
    await new Promise((resolve) => setTimeout(resolve, 1.5 * STEP_LIMIT_MS));
    supervisor.submit(requestOf('a', [1, 2], { stop: { tokenIds: [], strings: [], maxTokens: 4 } }));
    await expect.poll(() => answers.answer('a').finish).not.toBeNull();
    expect(losses).toEqual([]);
  });

  it('loses what it is given while no thread serves, at once', async () => {
    const { supervisor, lost } = await supervise([{ crashAtRun: 1 }, {}]);
    await using _ = supervisor;
    const failed: string[] = [];
    supervisor.onStep((output) => failed.push(...output.failed.map(({ requestId, code }) => `${requestId} ${code}`)));
    supervisor.submit(request('a'));
    await lost;
    supervisor.submit(request('b'));
    expect(failed).toEqual(['b engine_failed']);
  });

  it('replaces a thread that hangs while it loads, and gives up when the next ones do so too', async () => {
    const { supervisor, answers, lost } = await supervise([{ crashAtRun: 1 }, { hangAtLoad: true }, {}], {
      startLimitMs: 1_000,
    });
    await using _ = supervisor;
    supervisor.submit(request('a'));
    await (await lost).replaced;
    supervisor.submit(request('b'));
    await expect.poll(() => answers.answer('b').finish).not.toBeNull();

    const stuck = await supervise([{ crashAtRun: 1 }, { hangAtLoad: true }], { replacements: 1, startLimitMs: 1_000 });
    stuck.supervisor.submit(request('a'));
    expect((await stuck.fatal).message).toMatch(/has been loading for \d+ ms.*not replaced, since 2 threads were lost/);
    await stuck.supervisor.close();
  }, 60_000);

  it('ends a thread that loads when it is closed, and is not ended before', async () => {
    const { supervisor, lost } = await supervise([{ crashAtRun: 1 }, { hangAtLoad: true }]);
    supervisor.submit(request('a'));
    const { replaced } = await lost;
    const given = expect(replaced).rejects.toThrow('not needed any more');
    expect(supervisor.ended).toBe(false);
    await supervisor.close();
    expect(supervisor.ended).toBe(true);
    await given;
  });

  it('is not ended while a thread that it could not end is there', async () => {
    let started = 0;
    const supervisor = await EngineSupervisor.start({
      start: () => {
        started += 1;
        if (started > 1) return Promise.reject(new EngineThreadStuckError(new EngineStartLateError(2, 1)));
        return EngineThread.start(ENTRY, { ...DATA, crashAtRun: 1 }, { execArgv: ['--conditions=millrace-source'] });
      },
    });
    const fatal = new Promise<Error>((resolve) => supervisor.onFatal(resolve));
    supervisor.submit(request('a'));
    expect((await fatal).message).toContain('inside a native call');
    expect(supervisor.ended).toBe(false);
  });

  it('gives up when threads end again and again, and when no new one can be started', async () => {
    const again = await supervise([{ crashAtRun: 1 }], { replacements: 1 });
    await using _ = again.supervisor;
    again.supervisor.submit(request('a'));
    await (await again.lost).replaced;
    again.supervisor.submit(request('b'));
    expect((await again.fatal).message).toMatch(/it exited with code 3; it is not replaced, since 2 threads were lost/);

    const gone = await supervise([{ crashAtRun: 1 }, { loadError: 'model.onnx is missing' }]);
    gone.supervisor.submit(request('a'));
    expect((await gone.fatal).message).toContain('model.onnx is missing');
    await gone.supervisor.close();
  });
});
