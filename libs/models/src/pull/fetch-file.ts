import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isFileSystemError } from '../folder/new-folder.ts';
import type { HubClient, HubFile } from './hub-client.ts';
import { reason } from './hub-client.ts';
import { HubError, TransientHubError } from './hub-error.ts';

export interface FetchTarget {
  readonly repo: string;
  readonly commit: string;
  readonly file: HubFile;
  /** Where the file goes; while it is incomplete, `<target>.part`. */
  readonly target: string;
  /** Bytes of the file that are there now. */
  readonly onBytes: (bytes: number) => void;
}

/**
 * Downloads what is missing of one file, checks it and puts it in place.
 * @throws TransientHubError when the connection broke (what came is kept); HubError when the hub refuses or the checksum is wrong
 */
export async function fetchFile(client: HubClient, wanted: FetchTarget): Promise<void> {
  const { file, target, onBytes } = wanted;
  const part = `${target}.part`;
  await mkdir(dirname(target), { recursive: true });
  if ((await bytesOf(target)) === file.bytes) return onBytes(file.bytes);
  if ((await bytesOf(part)) > file.bytes) await rm(part);
  if ((await bytesOf(part)) < file.bytes) await download(client, wanted, part);
  const sum = await checksumOf(part, file);
  if (sum !== file.checksum.hex) {
    await rm(part);
    throw new HubError(
      `${wanted.repo}/${file.path}`,
      `its ${file.checksum.kind} is ${sum}, the hub's list says ${file.checksum.hex}`,
      'try again; if it stays, the hub or a proxy in between gives out wrong bytes',
    );
  }
  await rename(part, target);
}

async function download(client: HubClient, { repo, commit, file, onBytes }: FetchTarget, part: string): Promise<void> {
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(), client.idleMs);
  const from = await bytesOf(part);
  try {
    const response = await client.content(repo, commit, file.path, from, silence.signal);
    const continues =
      from > 0 && response.status === 206 && response.headers.get('content-range')?.startsWith(`bytes ${from}-`);
    await using output = await open(part, continues ? 'a' : 'w');
    let written = continues ? from : 0;
    if (response.status === 416) throw new TypeError('the hub has no such range of the file');
    for await (const chunk of response.body ?? []) {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), client.idleMs);
      await output.appendFile(chunk);
      written += chunk.length;
      onBytes(written);
      if (written > file.bytes) throw new TypeError(`the hub sends more than the ${file.bytes} bytes of its list`);
    }
    if (written < file.bytes) throw new TypeError(`the connection ended at byte ${written} of ${file.bytes}`);
  } catch (cause) {
    if (cause instanceof HubError || isFileSystemError(cause)) throw cause;
    const problem = silence.signal.aborted ? `nothing came for ${client.idleMs} ms` : reason(cause);
    throw new TransientHubError(`${repo}/${file.path}`, problem, 'run the command again: it goes on where it stopped', {
      cause,
    });
  } finally {
    clearTimeout(timer);
  }
}

async function checksumOf(path: string, { checksum, bytes }: HubFile): Promise<string> {
  // Git's name of a blob: SHA-1 over "blob <size>\0" and the contents.
  const hash: Hash = checksum.kind === 'sha256' ? createHash('sha256') : createHash('sha1').update(`blob ${bytes}\0`);
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest('hex');
}

async function bytesOf(path: string): Promise<number> {
  return (await stat(path).catch(() => null))?.size ?? -1;
}
