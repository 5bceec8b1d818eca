/** ONNX Runtime's severities; 4 silences it, as every problem reaches the caller as an error anyway. */
export const LOG_FATAL_ONLY = 4;

/** All graph optimizations. */
export const OPTIMIZE_ALL = 99;

/**
 * onnxruntime_session_options_config_keys.h. Idle threads of a pass sleep instead of spinning: the worker's main thread
 * (relay, queue locks, health) and often other processes want the same cores, and a spinning thread keeps a needed one from
 * running (README.md has the measurements).
 */
export const SESSION_CONFIG = { 'session.intra_op.allow_spinning': '0' } as const;
