import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { Cluster } from '../support/cluster.ts';
import { hasSoftwareVulkan, softwareVulkan } from '../support/software-vulkan.ts';

const MODEL = 'tiny-llama';
const modelFolder = fileURLToPath(new URL(`../fixtures/models/${MODEL}`, import.meta.url));
const PROMPTS = ['Hello', 'What is a mill race?', 'Count to ten, slowly.', 'What is a mill race? Say it shortly.'];
const worker = { MILLRACE_SLOTS: '4', MILLRACE_SLOT_TOKENS: '256', MILLRACE_THREADS: '1', MILLRACE_LOG_LEVEL: 'info' };

/** What streams of all prompts at once say. */
async function answersOf(cluster: Cluster): Promise<{ texts: string[]; cachedTokens: number }> {
  let cachedTokens = 0;
  const texts = PROMPTS.map(async (content) => {
    const fields = { model: MODEL, max_tokens: 24, temperature: 0, ignore_eos: true };
    const streamed = { stream: true, stream_options: { include_usage: true } };
    const response = await cluster.post({ messages: [{ role: 'user', content }], ...fields, ...streamed });
    expect(response.status).toBe(200);
    const events = (await response.text()).split('\n\n').filter((event) => event.startsWith('data: '));
    expect(events.at(-1)).toBe('data: [DONE]');
    const chunks = events.slice(0, -1).map((event) => JSON.parse(event.slice('data: '.length)));
    const { usage } = chunks.pop();
    expect(usage.completion_tokens).toBe(fields.max_tokens);
    cachedTokens += usage.prompt_tokens_details.cached_tokens;
    return chunks.map(({ choices }) => choices[0].delta.content ?? '').join('');
  });
  return { texts: await Promise.all(texts), cachedTokens };
}

/** The worker's line about its model. */
function loadedModel(cluster: Cluster): unknown {
  const line = cluster
    .output('worker')
    .split('\n')
    .find((text) => text.includes('model is loaded'));
  return JSON.parse(line ?? 'null');
}

it.runIf(hasSoftwareVulkan())(
  'streams from a worker on WebGPU what one on the CPU says',
  async () => {
    const { environment } = await softwareVulkan();
    await using onCpu = await Cluster.start({ modelFolder, worker });
    const expected = await answersOf(onCpu);
    expect(loadedModel(onCpu)).toMatchObject({ provider: 'cpu' });
    const settings = { ...worker, ...environment, MILLRACE_EXECUTION_PROVIDERS: 'webgpu' };
    await using onDevice = await Cluster.start({ modelFolder, worker: settings });
    const { texts } = await answersOf(onDevice);
    expect(loadedModel(onDevice)).toMatchObject({ provider: 'webgpu', kvMemory: 'device' });
    expect(new Set(texts).size).toBe(PROMPTS.length);
    expect(texts).toEqual(expected.texts);
    // Asked again, they have the beginnings of their prompts from blocks in the device's memory.
    const again = await answersOf(onDevice);
    expect(again.cachedTokens).toBeGreaterThan(0);
    expect(again.texts).toEqual(expected.texts);
  },
  120_000,
);
