/** Names of fields whose value may hold a secret, or text that a user wrote or was shown. */
const SECRET_FIELDS = [
  'authorization',
  'Authorization',
  'cookie',
  'apiKey',
  'api_key',
  'key',
  'secret',
  'token',
  'password',
  'relayToken',
  'MILLRACE_DEV_KEY',
  'MILLRACE_RELAY_TOKEN',
  'REDIS_URL',
  'messages',
  'prompt',
  'promptTokenIds',
  'content',
  'text',
] as const;

/** Each field at the top of a record and up to two objects deep, which is as deep as a record of ours goes. */
export const REDACTED_PATHS: readonly string[] = SECRET_FIELDS.flatMap((field) => [
  field,
  `*.${field}`,
  `*.*.${field}`,
]);
