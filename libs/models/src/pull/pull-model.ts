import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openModelFolder } from '../folder/model-folder.ts';
import { isFileSystemError, putInPlace, whatIsThere } from '../folder/new-folder.ts';
import { chooseFiles } from './choose-files.ts';
import { DownloadLock } from './download-lock.ts';
import { fetchFile } from './fetch-file.ts';
import { HubClient } from './hub-client.ts';
import { HubError, TransientHubError } from './hub-error.ts';

const TRIES = 5;
const MARKER = '.revision';
const REPO = /^[\w.-]+(?:\/[\w.-]+)?$/;

export interface PullOptions {
  /** `owner/name` */
  readonly repo: string;
  /** Made by the download; must not exist, or be empty. */
  readonly folder: string;
  /** Branch, tag or commit. Default `main`. */
  readonly revision?: string;
  /** `q4` takes onnx/model_q4.onnx. Default: onnx/model.onnx. */
  readonly variant?: string;
  /** Folder of the repository that holds the model. Default: its root. */
  readonly subfolder?: string;
  /** Default https://huggingface.co */
  readonly hubUrl?: string;
  readonly token?: string;
  /** Without a byte for so long a connection counts as broken. Default 30,000. */
  readonly idleMs?: number;
  /** Wait before the second try, doubled for each further one. Default 500. */
  readonly retryMs?: number;
  readonly onProgress?: (progress: PullProgress) => void;
}

export interface PullProgress {
  readonly file: string;
  readonly bytes: number;
  readonly totalBytes: number;
}

export interface PulledModel {
  readonly folder: string;
  readonly commit: string;
  readonly files: readonly string[];
  readonly totalBytes: number;
}

/**
 * Downloads a model folder. What was downloaded stays in `<folder>.download` until all of it is there and checked, so a second
 * call goes on where the first one stopped; then the folder appears at once.
 * @throws HubError saying what to do; ModelFolderError when what the repository has cannot be served
 */
export async function pullModel(options: PullOptions): Promise<PulledModel> {
  const folder = resolve(options.folder);
  return pullInto(folder, options).catch((cause: unknown) => {
    if (!isFileSystemError(cause)) throw cause;
    throw new HubError(
      options.repo,
      `the folder ${folder} cannot be written (${cause.message})`,
      'make room there or name another folder, and run the command again: it goes on where it stopped',
      { cause },
    );
  });
}

async function pullInto(folder: string, options: PullOptions): Promise<PulledModel> {
  const { repo, revision = 'main' } = options;
  if (!REPO.test(repo) || repo.split('/').some((part) => /^\.+$/.test(part)))
    throw new HubError(repo, 'it is no name of a repository', 'write it as owner/name');
  const there = await whatIsThere(folder);
  if (there !== null) throw new HubError(repo, there, 'remove it or name another folder');
  using _lock = DownloadLock.take(repo, folder);
  const client = new HubClient({
    url: options.hubUrl ?? 'https://huggingface.co',
    idleMs: options.idleMs ?? 30_000,
    ...(options.token !== undefined && { token: options.token }),
  });
  const again = <Result>(task: () => Promise<Result>) => withRetries(task, options.retryMs ?? 500);
  const commit = await again(() => client.commit(repo, revision));
  const listed = await again(() => client.files(repo, commit));
  const chosen = chooseFiles(repo, listed, options.variant ?? '', options.subfolder ?? '');
  const totalBytes = chosen.reduce((sum, { file }) => sum + file.bytes, 0);

  const download = `${folder}.download`;
  const state = `${repo}@${commit} ${options.variant ?? ''} ${options.subfolder ?? ''}`;
  await prepare(repo, download, state);
  let doneBytes = 0;
  for (const { file, path } of chosen) {
    const onBytes = (bytes: number) => options.onProgress?.({ file: path, bytes: doneBytes + bytes, totalBytes });
    await again(() => fetchFile(client, { repo, commit, file, target: join(download, path), onBytes }));
    doneBytes += file.bytes;
  }
  await openModelFolder(download); // what cannot be served is not put in place
  await putInPlace(download, folder);
  await rm(join(folder, MARKER));
  return { folder, commit, files: chosen.map(({ path }) => path), totalBytes };
}

/** Keeps what an earlier call downloaded of the same state of the repository, and nothing else. */
async function prepare(repo: string, download: string, state: string): Promise<void> {
  const earlier = await readFile(join(download, MARKER), 'utf8').catch(() => null);
  if (earlier === state) return;
  if (earlier === null && (await whatIsThere(download)) !== null)
    throw new HubError(repo, `${download} is there, and is no download`, 'move it away or name another folder');
  await rm(download, { recursive: true, force: true });
  await mkdir(download, { recursive: true });
  await writeFile(join(download, MARKER), state);
}

async function withRetries<Result>(task: () => Promise<Result>, retryMs: number): Promise<Result> {
  for (let tries = 1; ; tries++) {
    try {
      return await task();
    } catch (error) {
      if (!(error instanceof TransientHubError) || tries === TRIES) throw error;
      await sleep(retryMs * 2 ** (tries - 1));
    }
  }
}
