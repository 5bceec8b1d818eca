import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Metrics } from '#observability';
import { DeviceWatch } from './device-watch.ts';
import { firstVisibleDevice, type NvidiaReading, readNvidiaDevice } from './nvidia-device.ts';

const READING: NvidiaReading = { usedBytes: 3 << 20, totalBytes: 8 << 20, utilization: 0.25 };

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

/** A stand-in for the driver's tool: notes what it is asked and answers a line. */
function tool(script: string): { readonly command: string; readonly asked: () => string } {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-smi-'));
  folders.push(folder);
  const command = join(folder, 'nvidia-smi');
  writeFileSync(command, `#!/bin/sh\necho "$@" > ${folder}/asked\n${script}\n`);
  chmodSync(command, 0o755);
  return { command, asked: () => readFileSync(join(folder, 'asked'), 'utf8').trim() };
}

describe('readNvidiaDevice', () => {
  it('asks for the first device that CUDA sees and reads its memory and utilisation', async () => {
    const { command, asked } = tool('echo "51200, 81559, 97"');
    const reading = await readNvidiaDevice('2,3', command);
    expect(asked()).toContain('--id=2 ');
    expect(reading).toEqual({
      usedBytes: 51_200 * 1_048_576,
      totalBytes: 81_559 * 1_048_576,
      utilization: 0.97,
    });
  });

  it('leaves out a utilisation that the driver does not tell', async () => {
    const { command } = tool('echo "51200, 81559, [N/A]"');
    expect(await readNvidiaDevice(undefined, command)).toMatchObject({
      utilization: null,
      usedBytes: 51_200 * 1_048_576,
    });
  });

  it('says what is wrong when the tool is missing, fails, or tells no memory', async () => {
    await expect(readNvidiaDevice('0', '/nowhere/nvidia-smi')).rejects.toThrow(/ENOENT/);
    await expect(readNvidiaDevice('0', tool('echo "driver gone" >&2; exit 9').command)).rejects.toThrow(/driver gone/);
    await expect(readNvidiaDevice('0', tool('echo "No devices were found"').command)).rejects.toThrow(/No devices/);
  });

  it('names devices as CUDA_VISIBLE_DEVICES does', () => {
    expect(firstVisibleDevice(undefined)).toBe('0');
    expect(firstVisibleDevice('GPU-8932f937-d72c-4106')).toBe('GPU-8932f937-d72c-4106');
    expect(() => firstVisibleDevice('MIG-4be1')).toThrow(/MIG instance MIG-4be1.*DCGM/);
    expect(() => firstVisibleDevice('')).toThrow(/CUDA_VISIBLE_DEVICES is ""/);
    expect(() => firstVisibleDevice('-1')).toThrow(/names no device/);
  });
});

describe('DeviceWatch', () => {
  function watch(read: () => Promise<NvidiaReading>) {
    const device = { inUse: true };
    const problems: string[] = [];
    const parts = { read, inUse: () => device.inUse, onProblem: ({ message }: Error) => problems.push(message) };
    return { device, problems, watched: new DeviceWatch({ ...parts, everyMs: 60_000 }) };
  }

  it('shows what it last read as long as a model is on the device', async () => {
    const { device, watched } = watch(async () => READING);
    using _ = watched;
    const metrics = new Metrics({ process: 'worker', version: '1', runtime: false });
    watched.expose(metrics);
    expect(await metrics.text()).toContain('millrace:device_memory_used_bytes 0');
    await watched.look();
    const text = await metrics.text();
    expect(text).toContain(`millrace:device_memory_used_bytes ${3 << 20}`);
    expect(text).toContain(`millrace:device_memory_total_bytes ${8 << 20}`);
    expect(text).toContain('millrace:device_utilization_ratio 0.25');
    device.inUse = false;
    expect(await metrics.text()).toContain('millrace:device_memory_used_bytes 0');
  });

  it('asks nothing while no model is on the device, and one question at a time', async () => {
    let asked = 0;
    const answer = Promise.withResolvers<NvidiaReading>();
    const { device, watched } = watch(() => {
      asked += 1;
      return answer.promise;
    });
    using _ = watched;
    device.inUse = false;
    await watched.look();
    expect(asked).toBe(0);
    device.inUse = true;
    const looks = [watched.look(), watched.look()];
    answer.resolve(READING);
    await Promise.all(looks);
    expect(asked).toBe(1);
    expect(watched.latest).toEqual(READING);
  });

  it('tells of the first of several failures, shows nothing meanwhile, and goes on when the driver answers', async () => {
    const answers = [() => READING, fail('gone'), fail('still gone'), () => READING, fail('again')];
    const { problems, watched } = watch(async () => (answers.shift() ?? fail('none'))());
    using _ = watched;
    const latest: (NvidiaReading | null)[] = [];
    for (let look = 0; look < 5; look++) {
      await watched.look();
      latest.push(watched.latest);
    }
    expect(latest).toEqual([READING, null, null, READING, null]);
    expect(problems).toEqual(['gone', 'again']);
  });
});

function fail(message: string): () => NvidiaReading {
  return () => {
    throw new Error(message);
  };
}
