import {
  ApiSettings,
  BenchSettings,
  ChatSettings,
  CliSettings,
  HubSettings,
  UpSettings,
  WorkerSettings,
} from './settings.ts';

const SCHEMAS = [ApiSettings, WorkerSettings, UpSettings, BenchSettings, CliSettings, ChatSettings, HubSettings];

/** Every variable that some process reads. */
export const SETTING_NAMES: ReadonlySet<string> = new Set(SCHEMAS.flatMap((schema) => Object.keys(schema.shape)));

/** Read by the test suites and benchmarks of this repository, by the compose file, and by `up` for its processes. */
const OTHERS = /^MILLRACE_(TESTS?|BENCH|CHAOS)_|^MILLRACE_(BIND|GPU_MODEL|KEY)$/;
/** What Kubernetes sets for Services whose name begins with `millrace`, where a pod asks for it. */
const SERVICE_LINK = /_SERVICE_(HOST|PORT)|_PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?$/;
/** Letters that may differ between what was written and what was meant. */
const MOST_DIFFERENCES = 3;

/** A variable that begins like a setting and is none. */
export interface UnknownSetting {
  readonly name: string;
  /** The setting with the most similar name; null where none is similar. */
  readonly meant: string | null;
}

/** Set variables that nobody reads, which are typing errors as a rule: a process starts as if they were not there. */
export function unknownSettings(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): UnknownSetting[] {
  return Object.keys(environment)
    .filter((name) => name.startsWith('MILLRACE_') && (environment[name] ?? '') !== '')
    .filter((name) => !SETTING_NAMES.has(name) && !SETTING_NAMES.has(name.replace(/_FILE$/, '')))
    .filter((name) => !OTHERS.test(name) && !SERVICE_LINK.test(name))
    .sort()
    .map((name) => ({ name, meant: mostSimilar(name) }));
}

/** In one line, with the remedy. */
export function unknownSettingText({ name, meant }: UnknownSetting): string {
  return `${name} is set, and nothing reads it${meant === null ? '' : `: is ${meant} meant?`}`;
}

function mostSimilar(name: string): string | null {
  let best: string | null = null;
  let least = MOST_DIFFERENCES + 1;
  for (const known of SETTING_NAMES) {
    const differences = differencesOf(name, known);
    if (differences < least) {
      least = differences;
      best = known;
    }
  }
  return best;
}

/** Letters to insert, remove or replace (Levenshtein). */
function differencesOf(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
