import { basename, join } from 'node:path';
import { HubSettings, readSettings } from '#config';
import { pullModel } from '#models';
import { packageRoot } from '../package-root.ts';
import { megabytes } from './import-command.ts';
import { Progress } from './progress.ts';

export interface PullFlags {
  readonly revision: string;
  readonly variant?: string;
  readonly subfolder?: string;
}

/**
 * `millrace models pull`: a model folder from a hub.
 * @param folder default: the repository's name below models/
 * @returns 0
 */
export async function pullCommand(repo: string, folder: string | undefined, flags: PullFlags): Promise<number> {
  const settings = readSettings(HubSettings);
  const progress = new Progress();
  const pulled = await pullModel({
    repo,
    folder: folder ?? join(packageRoot(), 'models', basename(repo)),
    revision: flags.revision,
    hubUrl: settings.MILLRACE_HUB_URL,
    ...(settings.MILLRACE_HUB_TOKEN !== undefined && { token: settings.MILLRACE_HUB_TOKEN }),
    ...(flags.variant !== undefined && { variant: flags.variant }),
    ...(flags.subfolder !== undefined && { subfolder: flags.subfolder }),
    onProgress: ({ file, bytes, totalBytes }) =>
      progress.show(`${megabytes(bytes)} of ${megabytes(totalBytes)}, ${file}`),
  });
  progress.end();
  console.log(`${pulled.folder}
  ${repo} at ${pulled.commit}: ${pulled.files.length} files, ${megabytes(pulled.totalBytes)}, checksums are right
Look into it: npx millrace models inspect ${pulled.folder}`);
  return 0;
}
