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
export const SESSION_CONFIG = {
  'session.intra_op.allow_spinning': '1',
  'session.intra_op.spin_duration_us': '100',
} as const;
