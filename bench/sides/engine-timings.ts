import { GREEDY } from '#contracts';
import { EngineThread } from '#engine';
import { openModelFolder, PromptRenderer } from '#models';
import { openLoop } from '../../apps/cli/src/replay/open-loop.ts';
import type { EngineThreadData } from '../../apps/worker/src/model/engine-thread-data.ts';
import { serveSide } from '../side.ts';
import type { StreamTimings } from '../suites/path.ts';

/** The engine in its thread, driven by its owner directly: what the path around it is measured against. */
interface Settings {
  modelFolder: string;
  slots: number;
  slotTokens: number;
  threads: number;
}
type Task = { answerTokens: number } & ({ streams: number; requests: number } | { arrivalsMs: readonly number[] });

serveSide<Settings, Task, StreamTimings>(async (settings) => {
  const folder = await openModelFolder(settings.modelFolder);
  const renderer = PromptRenderer.fromCard(folder.card({ model: 'bench', contextLength: settings.slotTokens }));
  const engine = await EngineThread.start(
    new URL('../../apps/worker/src/engine-thread.ts', import.meta.url),
    {
      modelFile: folder.modelFile,
      embeddingFile: folder.embeddingFile,
      slots: settings.slots,
      parkingSlots: 0,
      slotTokens: settings.slotTokens,
      kvBytes: 0,
      prefixCacheBytes: 512 << 20,
      prefillChunkTokens: 128,
      decodeStretch: 3,
      prefillParts: 0,
      speculationTokens: 0,
      replayLimitTokens: 16_384,
      threads: settings.threads,
      cpus: null,
      spinUs: 100,
      capturedRows: 0,
      products: 'auto',
      kvType: 'auto',
      providers: ['cpu'],
      binding: 'auto',
      tokenTable: folder.tokenTable(),
    } satisfies EngineThreadData,
    { execArgv: ['--conditions=millrace-source'] },
  );
  const waiting = new Map<string, { begin: number; lastMs: number | undefined; end: () => void }>();
  let timings: StreamTimings = { ttftMs: [], interTokenMs: [] };
  engine.onStep((output) => {
    const now = performance.now();
    for (const delta of output.deltas) {
      const request = waiting.get(delta.requestId);
      // The path's client can only see tokens that carry text.
      if (request === undefined || delta.text === '') continue;
      if (request.lastMs === undefined) timings.ttftMs.push(now - request.begin);
      else timings.interTokenMs.push(now - request.lastMs);
      request.lastMs = now;
    }
    for (const finish of output.finished) waiting.get(finish.requestId)?.end();
  });
  let serial = 0;
  return async (task) => {
    timings = { ttftMs: [], interTokenMs: [] };
    const ask = async (number: number): Promise<void> => {
      const requestId = `bench-${serial++}`;
      const { tokenIds } = renderer.render([{ role: 'user', content: `bench prompt ${number}` }]);
      await new Promise<void>((end) => {
        waiting.set(requestId, { begin: performance.now(), lastMs: undefined, end });
        engine.submit({
          requestId,
          epoch: 1,
          promptTokenIds: tokenIds,
          choices: 1,
          sampling: GREEDY,
          stop: { tokenIds: [], strings: [], maxTokens: task.answerTokens },
          topLogprobs: null,
        });
      });
      waiting.delete(requestId);
    };
    if ('arrivalsMs' in task) {
      await openLoop(task.arrivalsMs, ask);
      return timings;
    }
    let sent = 0;
    const client = async (): Promise<void> => {
      while (sent < task.requests) await ask(++sent);
    };
    await Promise.all(Array.from({ length: task.streams }, client));
    return timings;
  };
});
