import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { serveSide } from '../side.ts';

/** onnxruntime-genai in a Python of its own, by JSON lines. */
serveSide(async ({ modelFolder }) => {
  const here = (name) => fileURLToPath(new URL(name, import.meta.url));
  const child = spawn(here('.venv/bin/python'), [here('genai.py'), modelFolder], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout });
  const answer = async () => {
    const [line] = await Promise.race([
      once(lines, 'line'),
      once(child, 'exit').then(([code]) => Promise.reject(new Error(`genai.py exited with ${code}`))),
    ]);
    return JSON.parse(line);
  };
  process.once('disconnect', () => child.kill());
  await answer();
  return async (task) => {
    child.stdin.write(`${JSON.stringify(task)}\n`);
    return await answer();
  };
});
