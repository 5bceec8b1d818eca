import { afterEach, describe, expect, it, vi } from 'vitest';
import { TaskLateError } from './task-late-error.ts';
import { TaskThread } from './task-thread.ts';
import type { ReversedText } from './testing/reversing-thread.ts';
import { ThreadLostError } from './thread-lost-error.ts';

const open: TaskThread<string, ReversedText>[] = [];
function reversing(): TaskThread<string, ReversedText> {
  const thread = new TaskThread<string, ReversedText>(new URL('./testing/reversing-thread', import.meta.url));
  open.push(thread);
  return thread;
}
afterEach(() => Promise.all(open.splice(0).map((thread) => thread.close())));

describe('TaskThread', () => {
  it('answers one message after another in the same thread', async () => {
    const thread = reversing();
    const first = await thread.ask('abc');
    const second = await thread.ask('de', 60_000);
    expect([first.text, second.text]).toEqual(['cba', 'ed']);
    expect(second.thread).toBe(first.thread);
  });

  it('ends a thread that takes longer than it may, and goes on with another', async () => {
    const thread = reversing();
    const first = await thread.ask('abc');
    const late = thread.ask('hang', 20);
    await expect(late).rejects.toThrow(TaskLateError);
    await expect(late).rejects.toThrow('longer than 20 ms');
    expect((await thread.ask('abc')).thread).not.toBe(first.thread);
  });

  it('does not count what the thread needs to load its code', async () => {
    const thread = new TaskThread<string, string>(new URL('./testing/slow-loading-thread', import.meta.url));
    expect(await thread.ask('abc', 300)).toBe('abc');
    await thread.close();
  });

  it('says why a thread was lost, and goes on with another', async () => {
    const thread = reversing();
    const lost = await thread.ask('crash').catch((error: unknown) => error);
    expect(lost).toBeInstanceOf(ThreadLostError);
    expect((lost as Error).cause).toMatchObject({ message: 'as it was told' });
    expect((await thread.ask('abc')).text).toBe('cba');
    const closed = expect(thread.ask('hang')).rejects.toThrow(ThreadLostError);
    await thread.close();
    await closed;
  });

  it('notices that a thread has ended while it had nothing to do', async () => {
    const thread = reversing();
    const first = await thread.ask('exit later');
    await vi.waitFor(async () => expect((await thread.ask('abc')).thread).not.toBe(first.thread));
  });

  it('fails where the entry file can not be loaded', async () => {
    const thread = new TaskThread<string, string>(new URL('./testing/no-such-thread', import.meta.url));
    await expect(thread.ask('abc')).rejects.toThrow(ThreadLostError);
  });
});
