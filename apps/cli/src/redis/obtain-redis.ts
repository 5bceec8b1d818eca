import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { StartError } from '../start-error.ts';
import { findOnPath, findRedisServer, type RedisProgram } from './find-redis.ts';
import { installRedisWithApt } from './install-redis-with-apt.ts';

export interface ObtainRedisOptions {
  /** The PATH to look in. */
  readonly path: string;
  readonly platform: NodeJS.Platform;
  readonly isRoot: boolean;
  readonly onProgress: (message: string) => void;
}

/**
 * A Redis to run: redis-server or valkey-server on PATH; else Docker, when its engine answers; else, as root on Debian or
 * Ubuntu, the distribution's own package.
 * @throws StartError with the command to install Redis on this system
 */
export async function obtainRedis(options: ObtainRedisOptions): Promise<RedisProgram> {
  const { path, onProgress } = options;
  const server = findRedisServer(path);
  if (server !== null) return server;
  const docker = findOnPath('docker', path);
  if (docker !== null && (await succeeds(docker, ['info'], 5_000))) return { kind: 'docker', path: docker };
  const apt = findOnPath('apt-get', path);
  let aptFailure = '';
  if (apt !== null && options.isRoot && existsSync('/etc/debian_version')) {
    onProgress('No Redis on this machine; installing redis-server with apt-get …');
    const outcome = await installRedisWithApt(apt);
    const installed = findRedisServer(path);
    if (installed !== null) return installed;
    aptFailure = `\napt-get install redis-server did not work:\n${outcome}\n`;
  }
  throw new StartError(
    `Redis was not found: no redis-server or valkey-server on PATH, and no Docker engine that answers.${aptFailure}\n` +
      `Install it with: ${installCommand(options.platform, apt !== null, path)}\n` +
      'or point REDIS_URL at a Redis server that is running (REDIS_URL=redis://host:6379).',
  );
}

function installCommand(platform: NodeJS.Platform, hasApt: boolean, path: string): string {
  if (platform === 'darwin') return 'brew install redis';
  if (platform === 'win32') return 'winget install Docker.DockerDesktop (Redis then runs in Docker)';
  if (hasApt) return 'sudo apt-get install redis-server';
  if (findOnPath('dnf', path) !== null) return 'sudo dnf install valkey';
  if (findOnPath('pacman', path) !== null) return 'sudo pacman -S valkey';
  if (findOnPath('apk', path) !== null) return 'apk add redis';
  if (findOnPath('zypper', path) !== null) return 'sudo zypper install redis';
  return "your system's package manager (package redis or valkey)";
}

function succeeds(command: string, args: readonly string[], timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: 'ignore', timeout: timeoutMs });
    child.once('error', () => resolve(false));
    child.once('exit', (code) => resolve(code === 0));
  });
}
