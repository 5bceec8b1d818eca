import type { CliSettings } from '#config';
import { type ApiAccess, apiAccess, noApiAnswers } from '../client/api-access.ts';
import { StartError } from '../start-error.ts';

const TIMEOUT_MS = 10_000;

type Method = 'GET' | 'PUT' | 'PATCH' | 'POST' | 'DELETE';

/** Calls an API replica's admin API with an operator's key. */
export class AdminClient {
  readonly #access: ApiAccess;

  /** @throws ConfigurationError when there is no key, neither given nor kept by `millrace up` */
  constructor(settings: CliSettings) {
    this.#access = apiAccess(settings);
  }

  /** @throws StartError saying why the API refused or could not be reached */
  async call(method: Method, path: string, body?: unknown): Promise<unknown> {
    const response = await this.#send(method, path, body);
    return response.json().catch(() => null);
  }

  /** What is not asked for as JSON. @throws StartError as `call` */
  async text(path: string): Promise<string> {
    return (await this.#send('GET', path)).text();
  }

  async #send(method: Method, path: string, body?: unknown): Promise<Response> {
    const { url, key } = this.#access;
    let response: Response;
    try {
      response = await fetch(`${url}/admin/v1/${path}`, {
        method,
        headers: {
          authorization: `Bearer ${key}`,
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
    } catch (error) {
      throw noApiAnswers(this.#access, error);
    }
    if (response.ok) return response;
    const refusal: unknown = await response.json().catch(() => null);
    throw new StartError(`${url} refused with ${response.status}: ${messageOf(refusal)}`);
  }
}

function messageOf(answer: unknown): string {
  if (typeof answer !== 'object' || answer === null || !('error' in answer)) return 'no reason was given.';
  const { error } = answer;
  return typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : String(error);
}
