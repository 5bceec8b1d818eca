import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type CliSettings, ConfigurationError } from '#config';
import { packageRoot } from '../package-root.ts';
import { StartError } from '../start-error.ts';

const TIMEOUT_MS = 10_000;

/** Calls an API replica's admin API with an operator's key. */
export class AdminClient {
  readonly #url: string;
  readonly #key: string;

  /** @throws ConfigurationError when there is no key, neither given nor kept by `millrace up` */
  constructor(settings: CliSettings) {
    this.#url = settings.MILLRACE_URL.replace(/\/+$/, '');
    this.#key = settings.MILLRACE_API_KEY ?? keptKey(settings);
  }

  /** @throws StartError saying why the API refused or could not be reached */
  async call(method: 'GET' | 'PUT' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<unknown> {
    const url = `${this.#url}/admin/v1/${path}`;
    let response: Response;
    try {
      response = await fetch(url, {
        method,
        headers: {
          authorization: `Bearer ${this.#key}`,
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
    } catch (error) {
      throw new StartError(`No API answers at ${this.#url}. Start one (npx millrace up), or set MILLRACE_URL.`, {
        cause: error,
      });
    }
    const answer: unknown = await response.json().catch(() => null);
    if (!response.ok) throw new StartError(`${this.#url} refused with ${response.status}: ${messageOf(answer)}`);
    return answer;
  }
}

function keptKey(settings: CliSettings): string {
  const file = join(resolve(packageRoot(), settings.MILLRACE_STATE_FOLDER ?? '.millrace'), 'dev-key');
  if (existsSync(file)) return readFileSync(file, 'utf8').trim();
  throw new ConfigurationError([`MILLRACE_API_KEY is not set: give an operator's key, or MILLRACE_DEV_KEY of the API`]);
}

function messageOf(answer: unknown): string {
  if (typeof answer !== 'object' || answer === null || !('error' in answer)) return 'no reason was given.';
  const { error } = answer;
  return typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : String(error);
}
