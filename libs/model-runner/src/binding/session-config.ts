/** ONNX Runtime's severities; 4 silences it, as every problem reaches the caller as an error anyway. */
export const LOG_FATAL_ONLY = 4;

/** All graph optimizations. */
export const OPTIMIZE_ALL = 99;

/** onnxruntime_session_options_config_keys.h */
export const SESSION_CONFIG = { 'session.intra_op.allow_spinning': '1' } as const;
