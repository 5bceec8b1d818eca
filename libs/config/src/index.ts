/**
 * The only reader of the environment: a zod schema per process, one frozen object, all problems reported at once.
 *
 * @module
 * @example
 * import { readSettings, WorkerSettings } from '#config';
 * const settings = readSettings(WorkerSettings); // throws ConfigurationError with one line per problem
 */
export { ConfigurationError } from './configuration-error.ts';
export { formatModelEntry, type ModelEntry, modelEntry } from './model-entry.ts';
export { readSettings } from './read-settings.ts';
export { type RedisTarget, redisTargetOf } from './redis-target.ts';
export {
  ApiSettings,
  BenchSettings,
  ChatSettings,
  CliSettings,
  HubSettings,
  InspectSettings,
  UpSettings,
  WorkerSettings,
} from './settings.ts';
export { formatTunedFile, readTunedFile, type TunedFile, type TunedSetting } from './tuned-file.ts';
export {
  SETTING_NAMES,
  type UnknownSetting,
  unknownSettings,
  unknownSettingText,
} from './unknown-settings.ts';
