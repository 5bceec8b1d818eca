/** Fields of a job that say where it belongs and nothing of what was asked. */
const SHOWN = [
  ...['version', 'requestId', 'epoch', 'model', 'tenantId', 'weight', 'choices', 'replicaId', 'relayAddress'],
  ...['enqueuedAtMs', 'deadlineMs', 'traceparent'],
] as const;

/** What the board shows of a job's data: no token, stop string or schema, which are the client's own words. */
export function shownJob(data: unknown): Readonly<Record<string, unknown>> {
  if (typeof data !== 'object' || data === null) return {};
  const fields = new Map<string, unknown>(Object.entries(data));
  const shown = Object.fromEntries(SHOWN.flatMap((name) => (fields.has(name) ? [[name, fields.get(name)]] : [])));
  const prompt = fields.get('promptTokenIds');
  return { ...shown, ...(Array.isArray(prompt) ? { promptTokens: prompt.length } : {}) };
}
