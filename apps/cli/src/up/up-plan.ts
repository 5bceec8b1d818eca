import { join, resolve } from 'node:path';
import {
  ConfigurationError,
  formatModelEntry,
  type ModelEntry,
  readTunedFile,
  type TunedFile,
  type UpSettings,
} from '#config';
import { openModelFolder, resolveModelFolder } from '#models';
import { packageRoot } from '../package-root.ts';
import { freePort, isPortFree, requireFreePort } from './ports.ts';
import { tunedFileIn } from './tuned-file-in.ts';

/** Everything that `up` has found out before it starts anything. */
export interface UpPlan {
  readonly stateFolder: string;
  readonly logFolder: string;
  /** MILLRACE_MODEL of the worker, with every folder's whole path. */
  readonly models: string;
  /** Measured settings that the worker uses; null where there are none. */
  readonly tuned: TunedFile | null;
  readonly httpHost: string;
  /** 0 where the API is to choose. */
  readonly httpPort: number;
  readonly managementPort: number;
}

/** Where `up` keeps its state. */
export function stateFolderOf(settings: Pick<UpSettings, 'MILLRACE_STATE_FOLDER'>): string {
  return resolve(packageRoot(), settings.MILLRACE_STATE_FOLDER ?? '.millrace');
}

/**
 * Checks what can be checked before anything runs: ports and the model folder.
 * @throws StartError or ModelFolderError, each with the remedy
 */
export async function planUp(settings: UpSettings): Promise<UpPlan> {
  const host = settings.MILLRACE_HTTP_HOST;
  await requireFreePort('MILLRACE_HTTP_PORT', host, settings.MILLRACE_HTTP_PORT);
  const stateFolder = stateFolderOf(settings);
  return {
    stateFolder,
    logFolder: join(stateFolder, 'logs'),
    models: (await completeModels(settings.MILLRACE_MODEL)).map(formatModelEntry).join(','),
    tuned: tunedOf(settings),
    httpHost: host,
    httpPort: settings.MILLRACE_HTTP_PORT,
    managementPort: await managementPort(settings),
  };
}

/** @throws ConfigurationError with what is wrong in the file */
export function tunedOf(settings: UpSettings): TunedFile | null {
  const file = settings.MILLRACE_TUNED_FILE ?? tunedFileIn(stateFolderOf(settings));
  const tuned = file === null ? null : readTunedFile({ MILLRACE_TUNED_FILE: resolve(file) });
  if (tuned !== null && tuned.problems.length > 0) throw new ConfigurationError(tuned.problems);
  return tuned;
}

/** In one line: which file, and what it says. */
export function tunedText({ file, values, unused }: TunedFile): string {
  const said = Object.entries(values).map(([name, value]) => `${name.replace('MILLRACE_', '').toLowerCase()} ${value}`);
  return unused === null ? `${file} (${said.join(', ')})` : `${file} is not used: ${unused}`;
}

/** The models with their folders' whole paths. @throws ModelFolderError of the first that can not be served */
export async function completeModels(entries: readonly ModelEntry[]): Promise<ModelEntry[]> {
  const complete: ModelEntry[] = [];
  for (const entry of entries) complete.push({ ...entry, folder: await completeModelFolder(entry.folder) });
  return complete;
}

/** The model's folder, with every file in place. */
async function completeModelFolder(nameOrPath: string): Promise<string> {
  const folder = await resolveModelFolder(nameOrPath, [join(packageRoot(), 'models')]);
  await openModelFolder(folder);
  return folder;
}

/** A taken default port must not stop a start; one that was asked for must be free. */
async function managementPort(settings: UpSettings): Promise<number> {
  const wanted = settings.MILLRACE_MANAGEMENT_PORT;
  const host = settings.MILLRACE_HTTP_HOST;
  if (wanted !== undefined) {
    await requireFreePort('MILLRACE_MANAGEMENT_PORT', host, wanted);
    return wanted;
  }
  if (settings.MILLRACE_HTTP_PORT !== 0 && (await isPortFree(host, 8001))) return 8001;
  return freePort(host);
}
