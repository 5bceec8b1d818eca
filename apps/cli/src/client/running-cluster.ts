import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { isMillrace } from './is-millrace.ts';

const RunningCluster = z.object({
  /** Of `up`. */
  pid: z.number().int(),
  url: z.url(),
  /** `given`: by MILLRACE_DEV_KEY, and written nowhere. `kept`: in the state folder. */
  key: z.enum(['given', 'kept']),
});
/** What other commands can know of the `up` that runs in a state folder. */
export type RunningCluster = z.infer<typeof RunningCluster>;

/** Notes the running cluster until the handle is disposed of. */
export function noteRunning(stateFolder: string, cluster: Omit<RunningCluster, 'pid'>): Disposable {
  const file = fileIn(stateFolder);
  writeFileSync(file, `${JSON.stringify({ pid: process.pid, ...cluster })}\n`, { mode: 0o600 });
  return { [Symbol.dispose]: () => rmSync(file, { force: true }) };
}

/** Null where none runs, also where one was killed and left its note behind. */
export function runningCluster(stateFolder: string): RunningCluster | null {
  let text: string;
  try {
    text = readFileSync(fileIn(stateFolder), 'utf8');
  } catch {
    return null;
  }
  const noted = RunningCluster.safeParse(parsed(text));
  return noted.success && isMillrace(noted.data.pid) ? noted.data : null;
}

/** The process of the `up` that has the state folder, whether it serves yet or not; null where none has it. */
export function holderOf(stateFolder: string): number | null {
  let holder: number;
  try {
    holder = Number(readFileSync(holderFile(stateFolder), 'utf8'));
  } catch {
    return null;
  }
  return isMillrace(holder) ? holder : null;
}

/** Holds the id of the process that has the state folder. */
export const holderFile = (stateFolder: string): string => join(stateFolder, 'up.pid');

function fileIn(stateFolder: string): string {
  return join(stateFolder, 'running.json');
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
