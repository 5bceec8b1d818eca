import {
  readSettings,
  readTunedFile,
  type TunedFile,
  unknownSettings,
  unknownSettingText,
  WorkerSettings,
} from '#config';
import { largeAllocationsApart } from '#model-runner/process';
import { createLogger, endOnUncaught, type Logger } from '#observability';
import { tellParent } from './lifecycle/parent-channel.ts';
import { ModelReader } from './model/model-reader.ts';
import { compileWorkerOptions } from './worker-options.ts';

endOnUncaught('worker', (message) => tellParent({ type: 'failed', message }));
largeAllocationsApart();
try {
  const settings = readSettings(WorkerSettings);
  const logger = createLogger('worker', settings.MILLRACE_LOG_LEVEL);
  const unknown = unknownSettings().map(unknownSettingText);
  if (unknown.length > 0) logger.warn({ unknown }, 'variables are set that nothing reads');
  logTuned(readTunedFile(), logger);
  const options = compileWorkerOptions(settings);
  const reader = new ModelReader(options.modelRoots, options.providers, {
    products: options.products,
    kvType: options.kvType,
  });
  // Beside the loading of the rest, which takes about as long.
  if (options.models[0] !== undefined) reader.begin(options.models[0]);
  const { runWorker } = await import('./run-worker.ts');
  await runWorker(options, logger, reader);
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
