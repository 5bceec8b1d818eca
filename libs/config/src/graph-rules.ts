import type { z } from 'zod';

interface GraphSettings {
  readonly MILLRACE_CUDA_GRAPHS: number;
  readonly MILLRACE_EXECUTION_PROVIDERS: readonly string[];
  readonly MILLRACE_RUNNER: string;
}

/** Only CUDA captures graphs; whoever asks for them has to try it first, through the C API. */
export function checkCudaGraphs(settings: GraphSettings, context: z.RefinementCtx): void {
  const { MILLRACE_CUDA_GRAPHS: rows, MILLRACE_EXECUTION_PROVIDERS: providers, MILLRACE_RUNNER: runner } = settings;
  if (rows === 0) return;
  const report = (message: string) => context.addIssue({ code: 'custom', path: ['MILLRACE_CUDA_GRAPHS'], message });
  if (providers[0] !== 'cuda')
    report(
      `graphs are captured on CUDA only, and MILLRACE_EXECUTION_PROVIDERS begins with ${providers[0]}; let it begin with cuda, or set this to 0`,
    );
  if (runner === 'js-api')
    report('the runner js-api captures none; set MILLRACE_RUNNER to auto or c-api, or this to 0');
}
