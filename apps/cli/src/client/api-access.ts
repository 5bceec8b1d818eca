import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type CliSettings, ConfigurationError } from '#config';
import { packageRoot } from '../package-root.ts';
import { StartError } from '../start-error.ts';

/** Where an API replica is, and what to show it. */
export interface ApiAccess {
  /** Without a slash at its end. */
  readonly url: string;
  readonly key: string;
}

/** @throws ConfigurationError when there is no key, neither given nor kept by `millrace up` */
export function apiAccess(settings: CliSettings): ApiAccess {
  return {
    url: settings.MILLRACE_URL.replace(/\/+$/, ''),
    key: settings.MILLRACE_API_KEY ?? keptKey(settings),
  };
}

/** What to do when nobody listens at the address. */
export function noApiAnswers({ url }: ApiAccess, cause: unknown): StartError {
  return new StartError(`No API answers at ${url}. Start one (npx millrace up), or set MILLRACE_URL.`, { cause });
}

function keptKey(settings: CliSettings): string {
  const file = join(resolve(packageRoot(), settings.MILLRACE_STATE_FOLDER ?? '.millrace'), 'dev-key');
  if (existsSync(file)) return readFileSync(file, 'utf8').trim();
  throw new ConfigurationError([
    `MILLRACE_API_KEY is not set: give a key (an operator's for all but chat), or MILLRACE_DEV_KEY of the API`,
  ]);
}
