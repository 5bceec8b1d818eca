import { join } from 'node:path';
import koffi, { type LibraryHandle } from 'koffi';
import { hasChromiumPackage, unpackedArchives } from './chromium-package.ts';

interface SoftwareVulkan {
  /** Vulkan's loader. */
  readonly library: string;
  /** For a process that is to find the loader and the device by itself. */
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * A Vulkan device that computes on the CPU: SwiftShader, which `@sparticuz/chromium` holds with Vulkan's loader. WebGPU runs on it as on a
 * GPU, but for speed and for 16-bit floats, which it does not know. Linux for x64 only.
 */
export async function softwareVulkan(): Promise<SoftwareVulkan> {
  const folder = await unpackedArchives('swiftshader', ['swiftshader.tar.br']);
  const driver = join(folder, 'vk_swiftshader_icd.json');
  return {
    library: join(folder, 'libvulkan.so.1'),
    // The second name is what loaders before 1.3.207 read.
    environment: { LD_LIBRARY_PATH: folder, VK_DRIVER_FILES: driver, VK_ICD_FILENAMES: driver },
  };
}

export const hasSoftwareVulkan = hasChromiumPackage;

/** A library that nothing refers to is closed, and WebGPU closes its own when its last session ends: the next one would find none. */
const loaded: LibraryHandle[] = [];

/** From now on this process has that device, and no other. */
export async function useSoftwareVulkan(): Promise<void> {
  const { library, environment } = await softwareVulkan();
  // LD_LIBRARY_PATH is read when a process starts; a library that is loaded already is found by its name.
  loaded.push(koffi.load(library));
  Object.assign(process.env, environment);
}
