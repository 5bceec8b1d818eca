import { ApiSettings, ConfigurationError, readSettings, UpSettings, WorkerSettings } from '#config';

type Environment = Readonly<Record<string, string | undefined>>;

/** In the place of secrets that `up` makes itself. */
const STAND_IN = 'made-by-millrace-up';

/** What is wrong with the settings of `up` and of both processes that it starts, each once; empty where nothing is. */
export function settingsProblems(environment: Environment): string[] {
  const ofProcesses = { ...environment, MILLRACE_RELAY_TOKEN: STAND_IN, MILLRACE_RELAY_TOKEN_FILE: '' };
  const keyed = (environment.MILLRACE_DEV_KEY ?? '') !== '' || (environment.MILLRACE_DEV_KEY_FILE ?? '') !== '';
  const ofApi = keyed ? ofProcesses : { ...ofProcesses, MILLRACE_DEV_KEY: STAND_IN };
  const problems = [
    ...problemsOf(() => readSettings(UpSettings, environment)),
    ...problemsOf(() => readSettings(ApiSettings, ofApi)),
    ...problemsOf(() => readSettings(WorkerSettings, ofProcesses)),
  ];
  return [...new Set(problems)];
}

/** The settings of `up`, with the defaults in the place of what is wrong, so that the rest can be looked at. */
export function usableSettings(environment: Environment): UpSettings {
  const names = problemsOf(() => readSettings(UpSettings, environment)).map(
    (problem) => problem.split(/_FILE| /, 1)[0],
  );
  const wrong = new Set(names.flatMap((name) => [name, `${name}_FILE`]));
  return readSettings(UpSettings, Object.fromEntries(Object.entries(environment).filter(([name]) => !wrong.has(name))));
}

function problemsOf(read: () => unknown): readonly string[] {
  try {
    read();
    return [];
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  }
}
