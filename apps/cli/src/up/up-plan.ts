import { join, resolve } from 'node:path';
import { formatModelEntry, type ModelEntry, type UpSettings } from '#config';
import { openModelFolder, resolveModelFolder } from '#models';
import { packageRoot } from '../package-root.ts';
import { freePort, isPortFree, requireFreePort } from './ports.ts';

/** Everything that `up` has found out before it starts anything. */
export interface UpPlan {
  readonly stateFolder: string;
  readonly logFolder: string;
  /** MILLRACE_MODEL of the worker, with every folder's whole path. */
  readonly models: string;
  readonly httpHost: string;
  /** 0 where the API is to choose. */
  readonly httpPort: number;
  readonly managementPort: number;
}

/** Where `up` keeps its state. */
export function stateFolderOf(settings: UpSettings): string {
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
    httpHost: host,
    httpPort: settings.MILLRACE_HTTP_PORT,
    managementPort: await managementPort(settings),
  };
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
