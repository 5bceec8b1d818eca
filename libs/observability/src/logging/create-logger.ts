import { type DestinationStream, type Level, type LevelWithSilent, type Logger, pino } from 'pino';
import { REDACTED_PATHS } from './redacted-paths.ts';

/**
 * A logger that writes one JSON line per record to stdout: `time` (ISO 8601), `level` (a word), `name`, `msg`.
 * Keys, authorization headers and what users wrote or read never appear, even where a caller logs the whole object.
 * @param name the process or part that speaks, as in `api`
 * @param destination where lines go instead of stdout
 */
export function createLogger(name: string, level: LevelWithSilent, destination?: DestinationStream): Logger {
  const options = {
    name,
    level,
    redact: { paths: [...REDACTED_PATHS], censor: '[redacted]' },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label as Level }) },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}
