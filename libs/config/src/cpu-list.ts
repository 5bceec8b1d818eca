import { z } from 'zod';

const MOST_CPUS = 1_024;

/** Numbers of processors as the kernel writes them, `0-3,8`; in ascending order, each once. */
export const cpuList = z.string().transform((text, context): number[] => {
  const cpus = new Set<number>();
  for (const part of text.split(',')) {
    const range = /^\s*(\d+)(?:-(\d+))?\s*$/.exec(part);
    const from = Number(range?.[1]);
    const to = Number(range?.[2] ?? range?.[1]);
    if (range === null || to < from || to >= MOST_CPUS) {
      context.addIssue({ code: 'custom', message: `"${part}" is no range of processors; write them as 0-3,8` });
      return z.NEVER;
    }
    for (let cpu = from; cpu <= to; cpu += 1) cpus.add(cpu);
  }
  return [...cpus].sort((a, b) => a - b);
});
