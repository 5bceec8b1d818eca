import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';

/** The processors that this process may use. */
export interface Processors {
  /** Threads that run at the same time: the processors allowed, or what the container's quota comes to where that is less. */
  readonly parallelism: number;
  /** Numbers of those allowed; empty where the system does not tell. */
  readonly allowed: readonly number[];
  /** Cores that these are on; the number of processors where the system does not tell. */
  readonly cores: number;
  /** Those allowed, by NUMA node; empty where the system does not tell. */
  readonly nodes: readonly (readonly number[])[];
}

export interface ProcessorSources {
  /** `/proc/self/status` */
  readonly statusFile: string;
  /** `/sys/devices/system` */
  readonly systemFolder: string;
  readonly parallelism: number;
}

const HERE: Omit<ProcessorSources, 'parallelism'> = {
  statusFile: '/proc/self/status',
  systemFolder: '/sys/devices/system',
};

/** Reads Linux's description; elsewhere only the number is known. */
export function processors(sources: Partial<ProcessorSources> = {}): Processors {
  const { statusFile, systemFolder, parallelism } = { ...HERE, parallelism: availableParallelism(), ...sources };
  const allowed = numbersOf(/^Cpus_allowed_list:\s*(\S+)/m.exec(textOf(statusFile))?.[1] ?? '');
  const isAllowed = new Set(allowed);
  const siblings = allowed.map((cpu) =>
    textOf(join(systemFolder, `cpu/cpu${cpu}/topology/thread_siblings_list`)).trim(),
  );
  const cores = siblings.length === 0 || siblings.includes('') ? parallelism : new Set(siblings).size;
  const nodes = foldersOf(join(systemFolder, 'node'))
    .filter((name) => /^node\d+$/.test(name))
    .sort()
    .map((name) => numbersOf(textOf(join(systemFolder, 'node', name, 'cpulist'))).filter((cpu) => isAllowed.has(cpu)))
    .filter((cpus) => cpus.length > 0);
  return { parallelism, allowed, cores: Math.min(cores, parallelism), nodes };
}

/** In one line, for people. */
export function describeProcessors({ parallelism, cores, nodes }: Processors): string {
  const model = cpus()[0]?.model.trim() || 'unknown processor';
  const numa = nodes.length > 1 ? `, ${nodes.length} NUMA nodes` : '';
  return `${model}: ${plural(parallelism, 'processor')} on ${plural(cores, 'core')}${numa}`;
}

function plural(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function foldersOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** `0-3,8` as the kernel writes it. */
function numbersOf(list: string): number[] {
  return list
    .trim()
    .split(',')
    .filter((part) => part !== '')
    .flatMap((part) => {
      const [from = 0, to = from] = part.split('-').map(Number);
      return Array.from({ length: to - from + 1 }, (_, index) => from + index);
    });
}
