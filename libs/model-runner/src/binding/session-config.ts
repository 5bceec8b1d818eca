import { dirname } from 'node:path';
import type { SessionOptions } from './session-binding.ts';

/** ONNX Runtime's severities; 4 silences it, as every problem reaches the caller as an error anyway. */
export const LOG_FATAL_ONLY = 4;

/** All graph optimizations. */
export const OPTIMIZE_ALL = 99;

/** Longer than the gaps between operators. */
export const DEFAULT_SPIN_US = 100;

/**
 * The entries for a model (onnxruntime_session_options_config_keys.h), and where a changed one's external data is.
 *
 * A pass's idle threads spin, by default for 100 µs, longer than the gaps between operators, and then sleep. Spinning without
 * that bound keeps the cores from the worker's main thread (relay, queue locks, health) and from other processes, and the pass
 * then waits for a thread that cannot run; never spinning costs a quarter of the speed where cores are free (README.md has the
 * measurements).
 *
 * Of sessions in sequence, a thread that still spun for one would keep its core from the next one's, and arenas of their own would
 * each keep what their largest run took (decision 0030).
 */
export function sessionConfig({
  model,
  spinUs,
  inSequence = false,
}: Pick<SessionOptions, 'model' | 'spinUs' | 'inSequence'>): Readonly<Record<string, string>> {
  const spinning: Record<string, string> =
    spinUs === 0
      ? { 'session.intra_op.allow_spinning': '0' }
      : { 'session.intra_op.allow_spinning': '1', 'session.intra_op.spin_duration_us': String(spinUs) };
  const shared: Record<string, string> = inSequence
    ? { 'session.force_spinning_stop': '1', 'session.use_env_allocators': '1' }
    : {};
  if (typeof model === 'string' || model instanceof Uint8Array) return { ...spinning, ...shared };
  return { ...spinning, ...shared, 'session.model_external_initializers_file_folder_path': dirname(model.file) };
}

/** As errors name it. */
export function modelName(model: SessionOptions['model']): string {
  if (typeof model === 'string') return model;
  return model instanceof Uint8Array ? 'a graph of ours' : model.file;
}
