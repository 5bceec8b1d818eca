import { ConfigurationError, readSettings, UpSettings, unknownSettings, unknownSettingText } from '#config';
import { noteRunning } from '../client/running-cluster.ts';
import { settingsProblems } from './check-settings.ts';
import { readyBlock } from './ready-block.ts';
import { RunLock } from './run-lock.ts';
import { Stack } from './stack.ts';
import { type StopCause, StopSignal } from './stop-signal.ts';
import { planUp, stateFolderOf } from './up-plan.ts';
import { requireWritableFolder } from './writable-folder.ts';

/** Signal numbers plus 128, as shells count them. */
const EXIT_CODES: Readonly<Record<StopCause, number>> = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129, orphaned: 1 };

/**
 * `millrace up`: Redis, one API and one worker until Ctrl-C.
 * @returns the exit code; 0 after a stop that was asked for once everything was up
 * @throws ConfigurationError, StartError, ModelFolderError when it cannot start; nothing is left running then
 */
export async function up(environment: Readonly<Record<string, string | undefined>>): Promise<number> {
  const startedAt = Date.now();
  const problems = settingsProblems(environment);
  if (problems.length > 0) throw new ConfigurationError(problems);
  const settings = readSettings(UpSettings, environment);
  for (const unknown of unknownSettings(environment)) console.error(`Careful: ${unknownSettingText(unknown)}.`);
  requireWritableFolder('MILLRACE_STATE_FOLDER', stateFolderOf(settings));
  using stop = new StopSignal();
  using _lock = RunLock.take(stateFolderOf(settings));
  const plan = await planUp(settings);
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => undefined);
  const stack = new Stack({
    settings,
    plan,
    environment,
    onProgress: (message) => console.error(message),
    onFailure: failure.reject,
  });
  try {
    const cause = await Promise.race([stop.requested, failure.promise, stack.start().then((facts) => ({ facts }))]);
    if (typeof cause === 'string') return EXIT_CODES[cause];
    const { url, keyGiven } = cause.facts;
    using _noted = noteRunning(stateFolderOf(settings), { url, key: keyGiven ? 'given' : 'kept' });
    console.log(readyBlock({ ...cause.facts, tookMs: Date.now() - startedAt }));
    const end = await Promise.race([stop.requested, failure.promise]);
    console.error(end === 'orphaned' ? 'The process that started Millrace is gone; stopping …' : '\nStopping …');
    return end === 'orphaned' ? EXIT_CODES.orphaned : 0;
  } finally {
    await stack.stop();
  }
}
