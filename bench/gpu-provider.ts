import { EXECUTION_PROVIDERS, type ExecutionProvider } from '#contracts';

/** The provider that the suites `gpu…` measure: `MILLRACE_BENCH_PROVIDER`, cuda unless set. @throws Error naming value and remedy */
export function benchProvider(): ExecutionProvider {
  const name = process.env.MILLRACE_BENCH_PROVIDER ?? 'cuda';
  const provider = EXECUTION_PROVIDERS.find((known) => known === name);
  if (provider === undefined)
    throw new Error(`MILLRACE_BENCH_PROVIDER is "${name}"; it must be one of ${EXECUTION_PROVIDERS.join(', ')}`);
  return provider;
}
