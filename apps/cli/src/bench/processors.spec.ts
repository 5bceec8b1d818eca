import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { processors } from './processors.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-cpus-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Two nodes of two cores with two processors each, as Linux shows them. */
function linux(allowed: string) {
  const statusFile = join(folder, 'status');
  writeFileSync(statusFile, `Name:\tnode\nCpus_allowed:\tff\nCpus_allowed_list:\t${allowed}\n`);
  const system = join(folder, 'system');
  for (let cpu = 0; cpu < 8; cpu += 1) {
    const topology = join(system, `cpu/cpu${cpu}/topology`);
    mkdirSync(topology, { recursive: true });
    writeFileSync(join(topology, 'thread_siblings_list'), `${cpu % 4},${(cpu % 4) + 4}\n`);
  }
  for (const [node, list] of ['0-1,4-5', '2-3,6-7'].entries()) {
    mkdirSync(join(system, `node/node${node}`), { recursive: true });
    writeFileSync(join(system, `node/node${node}/cpulist`), `${list}\n`);
  }
  return { statusFile, systemFolder: system };
}

describe('processors', () => {
  it('are those that the process may use, with their cores and NUMA nodes', () => {
    expect(processors({ ...linux('0-7'), parallelism: 8 })).toEqual({
      parallelism: 8,
      allowed: [0, 1, 2, 3, 4, 5, 6, 7],
      cores: 4,
      nodes: [
        [0, 1, 4, 5],
        [2, 3, 6, 7],
      ],
    });
    expect(processors({ ...linux('2,6'), parallelism: 2 })).toEqual({
      ...{ parallelism: 2, allowed: [2, 6], cores: 1 },
      nodes: [[2, 6]],
    });
  });

  it('are no more than the quota of a container, and a number alone where the system does not tell', () => {
    expect(processors({ ...linux('0-7'), parallelism: 3 })).toMatchObject({ parallelism: 3, cores: 3 });
    const elsewhere = { statusFile: '/nowhere', systemFolder: '/nowhere', parallelism: 6 };
    expect(processors(elsewhere)).toEqual({ parallelism: 6, allowed: [], cores: 6, nodes: [] });
  });
});
