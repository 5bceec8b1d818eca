import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** What `millrace bench --tune` measures, and a worker takes from its file where the environment does not say it. */
const TUNED_SETTINGS = [
  'MILLRACE_THREADS',
  'MILLRACE_CPUS',
  'MILLRACE_SPIN_US',
  'MILLRACE_PREFILL_CHUNK',
  'MILLRACE_SLOTS',
] as const;
export type TunedSetting = (typeof TUNED_SETTINGS)[number];

export interface TunedFile {
  readonly file: string;
  readonly values: Readonly<Partial<Record<TunedSetting, string>>>;
  /** Why the values are not used; null where they are. */
  readonly unused: string | null;
  readonly problems: readonly string[];
}

const PROCESSORS = /^# processors: (\d+)$/;
const LINE = /^([A-Z_]+)=(.*)$/;

/** The text of a file of measured settings. @param remarks lines that tell where they are from */
export function formatTunedFile(values: TunedFile['values'], processors: number, remarks: readonly string[]): string {
  const lines = TUNED_SETTINGS.flatMap((name) => (values[name] === undefined ? [] : [`${name}=${values[name]}`]));
  return [...remarks.map((remark) => `# ${remark}`), `# processors: ${processors}`, ...lines, ''].join('\n');
}

/**
 * The settings that MILLRACE_TUNED_FILE holds; null where it is not set. What was measured with another number of processors
 * is not used.
 */
export function readTunedFile(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): TunedFile | null {
  const file = environment.MILLRACE_TUNED_FILE ?? '';
  if (file === '') return null;
  const values: Partial<Record<TunedSetting, string>> = {};
  const problems: string[] = [];
  const fault = (what: string) =>
    problems.push(`MILLRACE_TUNED_FILE is "${file}": ${what}; run millrace bench --tune anew`);
  let processors: number | null = null;
  let text = '';
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    fault(`it can not be read (${error instanceof Error ? error.message : String(error)})`);
  }
  for (const line of text.split('\n').map((each) => each.trim())) {
    const counted = PROCESSORS.exec(line);
    if (counted !== null) processors = Number(counted[1]);
    if (line === '' || line.startsWith('#')) continue;
    const [, name, value = ''] = LINE.exec(line) ?? [];
    const known = TUNED_SETTINGS.find((each) => each === name);
    if (known === undefined) fault(`"${line}" is none of ${TUNED_SETTINGS.join(', ')}`);
    else values[known] = value;
  }
  const here = availableParallelism();
  const other = processors !== null && processors !== here;
  return {
    file,
    values,
    problems,
    unused: other ? `measured with ${processors} processors, and there are ${here}` : null,
  };
}
