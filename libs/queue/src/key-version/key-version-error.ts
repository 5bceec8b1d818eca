/** Redis holds data of a release that this one can not work beside. */
export class KeyVersionError extends Error {
  readonly code = 'key_version';

  constructor(stored: number, own: number) {
    super(
      `The keys in Redis have version ${stored}; this release reads up to ${own + 1}. ` +
        'Run the release that wrote them or the one before it, or use another Redis (REDIS_URL).',
    );
    this.name = 'KeyVersionError';
  }
}
