import { z } from 'zod';
import { ChatError } from './chat-error.ts';

/** OpenAI's error body, as far as it is read here. */
const ErrorBody = z.object({ error: z.object({ message: z.string(), code: z.string().nullish() }) });

/** What a person can do, where the API's own words can not know it. */
const REMEDIES: Readonly<Record<string, string>> = {
  invalid_api_key: 'Give another key with --key or MILLRACE_API_KEY.',
  insufficient_credits: 'An operator adds some: millrace tenants grant TENANT CREDITS GRANT-ID.',
  model_not_found: 'Choose one with --model (in a conversation /model).',
  model_not_allowed: 'Choose another with --model (in a conversation /model).',
  context_length_exceeded: 'In a conversation /clear begins anew.',
  no_workers: 'Start a worker (npx millrace worker); millrace top shows those that are there.',
};

/** A response that is no answer. @param text its body */
export function refusalOf(status: number, headers: Headers, text: string): ChatError {
  const { code, message } = told(text) ?? { code: `http_${status}`, message: `The API answered ${status}.` };
  const remedy = REMEDIES[code];
  return new ChatError(code, [message, remedy, comeBack(headers)].filter(Boolean).join(' '));
}

/** An event that says that the answer ends here; null for any other. */
export function failureOf(text: string): ChatError | null {
  const failure = told(text);
  return failure && new ChatError(failure.code, failure.message);
}

function comeBack(headers: Headers): string | null {
  const afterMs = Number(headers.get('retry-after-ms') ?? Number(headers.get('retry-after')) * 1_000);
  return afterMs > 0 ? `Try again in ${(afterMs / 1_000).toFixed(1)} s.` : null;
}

function told(text: string): { code: string; message: string } | null {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return null;
  }
  const { success, data } = ErrorBody.safeParse(body);
  return success ? { code: data.error.code ?? 'refused', message: data.error.message } : null;
}
