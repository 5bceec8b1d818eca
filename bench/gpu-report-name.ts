import { benchProvider } from './gpu-provider.ts';
import { benchShape } from './suites/gpu-shape.ts';

/** Suites that run on several devices and shapes have results for each. */
export function gpuReportName(suite: string): string {
  return [suite, ...(suite === 'gpu-shape' || suite === 'gpu-graphs' ? [benchShape().name] : []), benchProvider()].join(
    '-',
  );
}
