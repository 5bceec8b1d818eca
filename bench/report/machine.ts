import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { arch, availableParallelism, cpus, platform, release, totalmem } from 'node:os';

export interface Machine {
  cpu: string;
  cores: number;
  /** Instruction sets that decide how fast the kernels are. */
  features: string[];
  memoryGiB: number;
  /** NVIDIA's: name, memory and driver; null where there is none, or nobody tells. */
  gpu: string | null;
  os: string;
  node: string;
  onnxruntime: string;
}

const TELLING = [
  'avx2',
  'avx512f',
  'avx512_vnni',
  'avx_vnni',
  'amx_tile',
  'amx_int8',
  'asimd',
  'asimddp',
  'i8mm',
  'sve',
];

function cpuFlags(): Set<string> {
  try {
    const line = /^(?:flags|Features)\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'));
    return new Set(line?.[1]?.trim().split(/\s+/) ?? []);
  } catch {
    return new Set(); // no /proc on this system
  }
}

function gpuOf(): string | null {
  try {
    const query = ['--query-gpu=name,memory.total,driver_version', '--format=csv,noheader'];
    const [first = ''] = execFileSync('nvidia-smi', query, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 10_000,
    }).split('\n');
    const [name, memory, driver] = first.split(', ');
    return driver === undefined ? null : `${name} (${memory}, driver ${driver.trim()})`;
  } catch {
    return null;
  }
}

export function describeMachine(): Machine {
  const flags = cpuFlags();
  const { version } = JSON.parse(
    readFileSync(new URL('../../node_modules/onnxruntime-node/package.json', import.meta.url), 'utf8'),
  ) as { version: string };
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    features: TELLING.filter((flag) => flags.has(flag)),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    gpu: gpuOf(),
    os: `${platform()} ${arch()} ${release()}`,
    node: process.version,
    onnxruntime: version,
  };
}
