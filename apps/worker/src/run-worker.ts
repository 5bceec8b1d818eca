import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import type { Logger } from '#observability';
import { MillraceWorker } from './lifecycle/millrace-worker.ts';
import type { ModelReader } from './model/model-reader.ts';
import { WorkerModule } from './worker.module.ts';
import type { WorkerOptions } from './worker-options.ts';

/** Time beyond the grace time for aborting, telling clients and closing; then the process ends the hard way. */
const STOP_MARGIN_MS = 8_000;
/** A worker whose supervisor is gone has nobody to report to; it keeps its clients only this long. */
const ORPHAN_GRACE_MS = 2_000;
/** After a failure of the only engine nothing runs any more; only the last words to clients are to be sent. */
const FAILURE_GRACE_MS = 0;

/** Serves until it is told to end. @throws what keeps the worker from its start */
export async function runWorker(options: WorkerOptions, logger: Logger, reader: ModelReader): Promise<void> {
  const app = await NestFactory.createApplicationContext(WorkerModule.for(options, logger, reader), {
    logger: false,
    abortOnError: false,
  });
  const worker = app.get(MillraceWorker);

  let ending = false;
  const end = async (exitCode: number, graceMs: number, reason: string): Promise<void> => {
    if (ending) return;
    ending = true;
    logger.info({ graceMs }, reason);
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), graceMs + STOP_MARGIN_MS).unref();
    await worker.stop(graceMs);
    await app.close();
    if (worker.stuck) process.kill(process.pid, 'SIGKILL');
    process.exit(exitCode);
  };
  const endOn = (exitCode: number, graceMs: number, reason: string): void => {
    end(exitCode, graceMs, reason).catch((error: unknown) => {
      logger.fatal({ err: error }, 'stopping failed');
      process.exit(1);
    });
  };

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => endOn(0, options.graceMs, `${signal} received`));
  }
  process.on('disconnect', () => endOn(0, Math.min(options.graceMs, ORPHAN_GRACE_MS), 'the supervisor is gone'));
  worker.onFatal(() => endOn(1, worker.serves ? options.graceMs : FAILURE_GRACE_MS, 'an engine failed'));
  try {
    await worker.start();
  } catch (error) {
    if (ending) return;
    // Nothing of the attempt to start stays visible to others.
    await worker.stop(0);
    throw error;
  }
}
