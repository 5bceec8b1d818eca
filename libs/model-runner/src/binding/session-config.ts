import { dirname } from 'node:path';
import type { SessionOptions } from './session-binding.ts';

/** ONNX Runtime's severities; 4 silences it, as every problem reaches the caller as an error anyway. */
export const LOG_FATAL_ONLY = 4;

/** All graph optimizations. */
export const OPTIMIZE_ALL = 99;

/**
 * onnxruntime_session_options_config_keys.h. A pass's idle threads spin for 100 µs, longer than the gaps between operators,
 * and then sleep. Spinning without that bound keeps the cores from the worker's main thread (relay, queue locks, health) and
 * from other processes, and the pass then waits for a thread that cannot run; never spinning costs a quarter of the speed
 * where cores are free (README.md has the measurements).
 */
const SESSION_CONFIG = {
  'session.intra_op.allow_spinning': '1',
  'session.intra_op.spin_duration_us': '100',
} as const;

/** The entries for a model, and where a changed one's external data is. */
export function sessionConfig(model: SessionOptions['model']): Readonly<Record<string, string>> {
  if (typeof model === 'string' || model instanceof Uint8Array) return SESSION_CONFIG;
  return { ...SESSION_CONFIG, 'session.model_external_initializers_file_folder_path': dirname(model.file) };
}

/** As errors name it. */
export function modelName(model: SessionOptions['model']): string {
  if (typeof model === 'string') return model;
  return model instanceof Uint8Array ? 'a graph of ours' : model.file;
}
