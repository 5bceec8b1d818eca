import { MillraceError } from '#contracts';
import type { MemoryLimit } from './memory-limit.ts';
import type { MemoryNeed } from './memory-need.ts';

/** A model does not fit into what the worker may use beside the models that it holds. */
export class InsufficientMemoryError extends MillraceError {
  constructor(model: string, need: MemoryNeed, takenBytes: number, limit: MemoryLimit) {
    const parts = [
      `${mib(need.certainBytes)} for its weights (${mib(need.weightBytes)} of files, ${mib(need.loadedBytes)} loaded) and its thread`,
    ];
    const countsCaches = limit.countsCaches && need.mostBytes > need.certainBytes;
    if (countsCaches) {
      parts.push(`${mib(need.kvBytes)} for keys and values`, `${mib(need.prefixCacheBytes)} for its prefix cache`);
      if (need.stateBytes > 0) parts.push(`${mib(need.stateBytes)} for states of its layers`);
    }
    const remedy = countsCaches
      ? `Unload another model, give this one less (slots, slotTokens, kvMb, prefixCacheMb), or raise MILLRACE_MEMORY_LIMIT_MB.`
      : `Unload another model, or ${limit.countsCaches ? 'raise MILLRACE_MEMORY_LIMIT_MB' : 'give the worker more memory'}.`;
    super(
      'insufficient_memory',
      `The model "${model}" does not fit: it needs ${parts.join(', ')}; the worker has ${mib(takenBytes)} taken of ` +
        `${mib(limit.bytes)} (${limit.source}), so ${mib(Math.max(0, limit.bytes - takenBytes))} are left. ${remedy}`,
    );
  }
}

function mib(bytes: number): string {
  return `${Math.ceil(bytes / (1024 * 1024)).toLocaleString('en')} MiB`;
}
