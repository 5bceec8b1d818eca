import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { serveSide } from '../side.ts';

/** PyTorch with transformers in a Python of its own, by JSON lines. */
serveSide(async ({ python, modelFolder, device, cache }) => {
  const script = fileURLToPath(new URL('torch-decode.py', import.meta.url));
  const child = spawn(python, [script, modelFolder, device, cache], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  const answer = async () => {
    const [line] = await Promise.race([
      once(lines, 'line'),
      once(child, 'exit').then(([code]) => Promise.reject(new Error(`torch-decode.py exited with ${code}`))),
    ]);
    const { error, ...result } = JSON.parse(line);
    if (error !== undefined) throw new Error(error);
    return result;
  };
  process.once('disconnect', () => child.kill());
  process.once('exit', () => child.kill());
  await answer();
  return async (task) => {
    child.stdin.write(`${JSON.stringify(task)}\n`);
    return (await answer()).stepMs;
  };
});
