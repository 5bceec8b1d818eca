import { spawn } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';

const SERVICE_POLICY = '/usr/sbin/policy-rc.d';

/**
 * Installs Debian's redis-server without its system service being started: Millrace runs its own on a private port.
 * @returns the last lines of what apt-get said
 */
export async function installRedisWithApt(aptGet: string): Promise<string> {
  // Exit code 101 tells invoke-rc.d that no service may be started (Debian policy, invoke-rc.d specification).
  const ownPolicy = !existsSync(SERVICE_POLICY);
  if (ownPolicy) writeFileSync(SERVICE_POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    const update = await run(aptGet, ['update', '-qq']);
    const install = await run(aptGet, ['install', '-y', '-qq', '--no-install-recommends', 'redis-server']);
    return (install.code === 0 ? install.output : `${update.output}\n${install.output}`)
      .trim()
      .split('\n')
      .slice(-8)
      .join('\n');
  } finally {
    if (ownPolicy) rmSync(SERVICE_POLICY, { force: true });
  }
}

function run(command: string, args: readonly string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.once('error', (error) => resolve({ code: 1, output: error.message }));
    child.once('close', (code) => resolve({ code: code ?? 1, output }));
  });
}
