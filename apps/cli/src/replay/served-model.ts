import { z } from 'zod';
import { refusalOf } from '../chat/refusal.ts';
import { type ApiAccess, noApiAnswers } from '../client/api-access.ts';
import { StartError } from '../start-error.ts';

const ModelList = z.object({ data: z.array(z.object({ id: z.string(), context_length: z.int() })) });
const Completion = z.object({ usage: z.object({ prompt_tokens: z.int() }) });
const Waited = z.object({ queued_ms: z.number().nullable() });
/** Requests that are looked up at a time. */
const LOOKING = 8;

/** What a replay has to know of a running API, and asks it. */
export class ServedModel {
  readonly #access: ApiAccess;
  readonly name: string;
  /** Most tokens of prompt and answer together. */
  readonly contextLength: number;

  private constructor(access: ApiAccess, name: string, contextLength: number) {
    this.#access = access;
    this.name = name;
    this.contextLength = contextLength;
  }

  /**
   * @param named null for the first
   * @throws StartError when there is no such model, or no API answers; ChatError when the key is refused
   */
  static async find(access: ApiAccess, named: string | null): Promise<ServedModel> {
    const { data } = ModelList.parse(await asked(access, '/v1/models'));
    const found = named === null ? data[0] : data.find(({ id }) => id === named);
    if (found !== undefined) return new ServedModel(access, found.id, found.context_length);
    const served = data.length === 0 ? 'no model' : data.map(({ id }) => JSON.stringify(id)).join(', ');
    const remedy = data.length === 0 ? 'Start a worker (npx millrace worker).' : 'Choose one with --model.';
    throw new StartError(`${access.url} serves ${served}${named === null ? '' : `, not "${named}"`}. ${remedy}`);
  }

  async promptTokensOf(content: string): Promise<number> {
    const body = { model: this.name, messages: [{ role: 'user', content }], max_tokens: 1, temperature: 0 };
    return Completion.parse(await asked(this.#access, '/v1/chat/completions', body)).usage.prompt_tokens;
  }

  /** How long requests waited for a worker, of those that the API remembers. */
  async queuedMs(requestIds: readonly string[]): Promise<number[]> {
    const found: number[] = [];
    const rest = requestIds.values();
    const look = async () => {
      for (const id of rest) {
        const body = await asked(this.#access, `/v1/requests/${encodeURIComponent(id)}`).catch(() => null);
        const queuedMs = Waited.safeParse(body).data?.queued_ms ?? null;
        if (queuedMs !== null) found.push(queuedMs);
      }
    };
    await Promise.all(Array.from({ length: LOOKING }, look));
    return found;
  }
}

/** @throws StartError, ChatError */
async function asked(access: ApiAccess, path: string, body?: object): Promise<unknown> {
  const headers = { authorization: `Bearer ${access.key}`, 'content-type': 'application/json' };
  const init = body === undefined ? { headers } : { method: 'POST', headers, body: JSON.stringify(body) };
  const response = await fetch(`${access.url}${path}`, init).catch((error: unknown) => {
    throw noApiAnswers(access, error);
  });
  if (response.ok) return response.json();
  throw refusalOf(response.status, response.headers, await response.text());
}
