const CHAT = 'POST /v1/chat/completions';

/** Routes of OpenAI's that its clients ask for, some of them unless they are told otherwise. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  responses: `The Responses API is not served. Have the client ask ${CHAT} (in OpenAI's Agents SDK by set_default_openai_api("chat_completions")).`,
  completions: `Completions of a bare prompt are not served. Send messages to ${CHAT}.`,
  embeddings: 'Embeddings are not served: the models here write text.',
  messages: `Anthropic's API is not served. Have the client speak OpenAI's, at ${CHAT}.`,
};
/** Where people look first. */
const LOOKED_AT: Readonly<Record<string, string>> = {
  '/': 'The API is below /v1 and described at /docs; /console is a page to try it.',
  '/v1': 'The API is described at /docs; GET /v1/models lists what can be asked.',
  '/metrics': 'Metrics are at the management port (MILLRACE_MANAGEMENT_PORT, 8001).',
};
const WITHOUT_VERSION = new Set(['/chat/completions', '/models']);

/** Why nothing is at an address, where a client is known to look for something there. */
export function missingRouteMessage(path: string): string {
  if (WITHOUT_VERSION.has(path)) return `There is no such route. A client's base URL ends with /v1 here: /v1${path}.`;
  const [, name = ''] = /^\/(?:v1\/)?([a-z]+)$/.exec(path) ?? [];
  const where = entryOf(LOOKED_AT, path) ?? entryOf(ELSEWHERE, name);
  return where === undefined ? 'There is no such route.' : `There is no such route. ${where}`;
}

function entryOf(entries: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(entries, name) ? entries[name] : undefined;
}
