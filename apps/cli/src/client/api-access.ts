import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type CliSettings, ConfigurationError } from '#config';
import { packageRoot } from '../package-root.ts';
import { StartError } from '../start-error.ts';
import { holderOf, type RunningCluster, runningCluster } from './running-cluster.ts';

/** Where an API is looked for when nothing says where. */
export const DEFAULT_URL = 'http://127.0.0.1:8000';

/** Where an API replica is, and what to show it. */
export interface ApiAccess {
  /** Without a slash at its end. */
  readonly url: string;
  readonly key: string;
}

/**
 * What is given, else that of the `millrace up` of the state folder.
 * @throws StartError when that one is not ready yet; ConfigurationError when there is no key, neither given nor kept by `millrace up`
 */
export function apiAccess(settings: CliSettings): ApiAccess {
  const stateFolder = resolve(packageRoot(), settings.MILLRACE_STATE_FOLDER ?? '.millrace');
  const running = runningCluster(stateFolder);
  const starting = settings.MILLRACE_URL === undefined && running === null ? holderOf(stateFolder) : null;
  if (starting !== null) {
    throw new StartError(
      `The millrace up that runs here (process ${starting}) is not ready yet: wait for its ready block, or set MILLRACE_URL.`,
    );
  }
  const url = (settings.MILLRACE_URL ?? running?.url ?? DEFAULT_URL).replace(/\/+$/, '');
  const asked = running?.url === url ? running : null;
  return { url, key: settings.MILLRACE_API_KEY ?? settings.MILLRACE_DEV_KEY ?? keptKey(stateFolder, asked) };
}

/** What to do when nobody listens at the address. */
export function noApiAnswers({ url }: ApiAccess, cause: unknown): StartError {
  return new StartError(`No API answers at ${url}. Start one (npx millrace up), or set MILLRACE_URL.`, { cause });
}

/** @param running the `up` that serves the address, where it is known */
function keptKey(stateFolder: string, running: RunningCluster | null): string {
  if (running?.key === 'given') {
    throw new ConfigurationError([
      `MILLRACE_API_KEY is not set: the millrace up that runs here (process ${running.pid}) was given its key by MILLRACE_DEV_KEY and writes it nowhere; ` +
        'set either to that key (chat takes --key, too)',
    ]);
  }
  const file = join(stateFolder, 'dev-key');
  if (existsSync(file)) return readFileSync(file, 'utf8').trim();
  throw new ConfigurationError([
    `MILLRACE_API_KEY is not set: give a key (an operator's for all but chat), or MILLRACE_DEV_KEY of the API`,
  ]);
}
