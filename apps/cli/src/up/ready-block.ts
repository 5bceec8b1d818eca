import { DEFAULT_URL } from '../client/api-access.ts';

export interface ReadyFacts {
  readonly url: string;
  readonly key: string;
  /** It was given, so that other commands can not find it. */
  readonly keyGiven: boolean;
  /** Names under which clients ask for them; at least one. */
  readonly models: readonly string[];
  readonly managementUrl: string;
  readonly redis: string;
  /** Measured settings that the worker uses; null where there are none. */
  readonly tuned: string | null;
  readonly logFolder: string;
  readonly tookMs: number;
}

/** The one block that `millrace up` ends with: everything needed for a first request. */
export function readyBlock(facts: ReadyFacts): string {
  const body = JSON.stringify({
    model: facts.models[0],
    messages: [{ role: 'user', content: 'What is the capital of France?' }],
    temperature: 0,
    max_tokens: 64,
  });
  const flags = [
    ...(facts.url === DEFAULT_URL ? [] : [`--url ${facts.url}`]),
    ...(facts.keyGiven ? [`--key ${shellQuote(facts.key)}`] : []),
  ];
  return [
    '',
    `Millrace is ready (${(facts.tookMs / 1000).toFixed(1)} s)`,
    '',
    `  URL       ${facts.url}`,
    `  Base URL  ${facts.url}/v1  (for OpenAI clients)`,
    `  Key       ${facts.key}`,
    `  Model     ${facts.models.join(', ')}`,
    `  Chat      ${['npx millrace chat', ...flags].join(' ')}`,
    `  Console   ${facts.url}/console`,
    `  Docs      ${facts.url}/docs`,
    `  Health    ${facts.managementUrl}/readyz`,
    `  Redis     ${facts.redis}`,
    ...(facts.tuned === null ? [] : [`  Tuned     ${facts.tuned}`]),
    `  Logs      ${facts.logFolder}`,
    '',
    '  Try it:',
    '',
    `curl -sS ${facts.url}/v1/chat/completions -H ${shellQuote(`Authorization: Bearer ${facts.key}`)} -H 'Content-Type: application/json' -d ${shellQuote(body)}`,
    '',
    '  Ctrl-C stops everything.',
    '',
  ].join('\n');
}

/** One shell word, whatever the text holds. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
