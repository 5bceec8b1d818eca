import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Without persistence mode the driver takes seconds to wake. */
const LIMIT_MS = 10_000;
const BYTES_PER_MIB = 1024 * 1024;

/** What NVIDIA's driver tells of a device, whoever uses it. */
export interface NvidiaReading {
  readonly usedBytes: number;
  readonly totalBytes: number;
  /** Share of the driver's last sample period in which a kernel ran; null where it is not told. */
  readonly utilization: number | null;
}

/**
 * How the driver's tool names the first device that CUDA sees.
 * @param visible `CUDA_VISIBLE_DEVICES`; all devices when undefined
 * @throws Error for what the tool does not tell of
 */
export function firstVisibleDevice(visible: string | undefined): string {
  const first = visible?.split(',')[0]?.trim() ?? '0';
  if (/^(\d+|GPU-[\da-f-]+)$/i.test(first)) return first;
  if (/^MIG-/i.test(first))
    throw new Error(`nvidia-smi tells nothing of the MIG instance ${first} by itself; read it from DCGM's exporter.`);
  throw new Error(`CUDA_VISIBLE_DEVICES is "${visible}", which names no device.`);
}

/**
 * Asks nvidia-smi, which is wherever the driver is.
 * @throws Error when it is missing, fails, or does not answer in time
 */
export async function readNvidiaDevice(visible: string | undefined, command = 'nvidia-smi'): Promise<NvidiaReading> {
  const query = '--query-gpu=memory.used,memory.total,utilization.gpu';
  const args = [`--id=${firstVisibleDevice(visible)}`, query, '--format=csv,noheader,nounits'];
  const { stdout } = await run(command, args, { timeout: LIMIT_MS, windowsHide: true });
  const [used, total, utilization] = stdout.trim().split(', ');
  const [usedMiB, totalMiB, percent] = [used, total, utilization].map((text) => Number(text ?? Number.NaN));
  if (!Number.isFinite(usedMiB) || !Number.isFinite(totalMiB))
    throw new Error(`nvidia-smi answered "${stdout.trim().slice(0, 200)}", which tells no memory.`);
  return {
    usedBytes: usedMiB * BYTES_PER_MIB,
    totalBytes: totalMiB * BYTES_PER_MIB,
    utilization: Number.isFinite(percent) ? percent / 100 : null,
  };
}
