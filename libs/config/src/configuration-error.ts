/** The environment does not hold a usable configuration; the message lists every problem, one a line. */
export class ConfigurationError extends Error {
  readonly code = 'invalid_configuration';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(
      `The configuration has ${problems.length} problem${problems.length === 1 ? '' : 's'}:\n  ${problems.join('\n  ')}`,
    );
    this.name = 'ConfigurationError';
    this.problems = problems;
  }
}
