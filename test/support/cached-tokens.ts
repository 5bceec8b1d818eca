/**
 * An answer as JSON without the number of prompt tokens that the prefix cache held: it depends on what the worker computed
 * before, and is the only thing in an answer that does.
 */
export function withoutCachedTokens(json: string): string {
  return json.replace(/"cached_tokens":\d+/g, '"cached_tokens":0');
}
