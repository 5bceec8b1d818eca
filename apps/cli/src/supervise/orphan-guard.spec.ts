import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it, vi } from 'vitest';
import { OrphanGuard } from './orphan-guard.ts';

const rows = (): string[][] =>
  execFileSync('ps', ['-eo', 'pid=,ppid=,stat=,args='], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/));

const guards = () =>
  rows().filter(([, parent, , ...args]) => parent === `${process.pid}` && args.includes('millrace-guard'));

it('ends although a process that it killed keeps its pid, because its parent never waits for it', async () => {
  // The shell's child outlives the shell's turning into `sleep`, which waits for nobody.
  const parent = spawn('/bin/sh', ['-c', 'sleep 60 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    const [text] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = text.toString().trim();
    const guard = OrphanGuard.start();
    guard.add(Number(pid));
    await vi.waitFor(() => expect(guards()).toHaveLength(1));
    guard[Symbol.dispose]();
    await vi.waitFor(() => expect(guards()).toEqual([]));
    expect(rows().find(([each]) => each === pid)?.[2]).toMatch(/^Z/);
  } finally {
    parent.kill('SIGKILL');
  }
});
