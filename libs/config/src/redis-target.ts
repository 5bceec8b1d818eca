/** Where Redis is, as its clients take it. */
export interface RedisTarget {
  /** `redis://` or `rediss://`, with the password in it when there is one. */
  readonly url: string;
  /** PEM of the authorities that may have signed the certificate of a `rediss://` server; the system's when unset. */
  readonly ca: string | undefined;
}

/** Puts a password that is kept apart (REDIS_PASSWORD, usually from a file) into the address. */
export function redisTargetOf(settings: {
  readonly REDIS_URL: string;
  readonly REDIS_PASSWORD?: string | undefined;
  readonly REDIS_CA?: string | undefined;
}): RedisTarget {
  const url = new URL(settings.REDIS_URL);
  // The setter encodes most of what an address can not hold, but neither `%` nor `+`.
  if (settings.REDIS_PASSWORD !== undefined) url.password = encodeURIComponent(settings.REDIS_PASSWORD);
  return {
    url: settings.REDIS_PASSWORD === undefined ? settings.REDIS_URL : url.href,
    ca: settings.REDIS_CA,
  };
}
