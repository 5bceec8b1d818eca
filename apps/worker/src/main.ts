import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { readSettings, readTunedFile, type TunedFile, WorkerSettings } from '#config';
import { largeAllocationsApart } from '#model-runner';
import { createLogger, type Logger } from '#observability';
import { MillraceWorker } from './lifecycle/millrace-worker.ts';
import { tellParent } from './lifecycle/parent-channel.ts';
import { WorkerModule } from './worker.module.ts';
import { compileWorkerOptions, type WorkerOptions } from './worker-options.ts';

/** Time beyond the grace time for aborting, telling clients and closing; then the process ends the hard way. */
const STOP_MARGIN_MS = 8_000;
/** A worker whose supervisor is gone has nobody to report to; it keeps its clients only this long. */
const ORPHAN_GRACE_MS = 2_000;
/** After a failure of the only engine nothing runs any more; only the last words to clients are to be sent. */
const FAILURE_GRACE_MS = 0;

largeAllocationsApart();
try {
  const settings = readSettings(WorkerSettings);
  const logger = createLogger('worker', settings.MILLRACE_LOG_LEVEL);
  logTuned(readTunedFile(), logger);
  await run(compileWorkerOptions(settings), logger);
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`millrace worker: ${message}\n`);
  await tellParent({ type: 'failed', message });
  process.exit(1);
}

function logTuned(tuned: TunedFile | null, logger: Logger): void {
  if (tuned === null) return;
  const { file, values, unused } = tuned;
  if (unused === null) logger.info({ file, values }, 'measured settings are used where the environment says nothing');
  else logger.warn({ file, unused }, 'measured settings are not used; run millrace bench --tune anew');
}

async function run(options: WorkerOptions, logger: Logger): Promise<void> {
  const app = await NestFactory.createApplicationContext(WorkerModule.for(options, logger), {
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
