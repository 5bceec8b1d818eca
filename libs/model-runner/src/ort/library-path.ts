import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { OrtLibraryError } from './ort-library-error.ts';

const FILE_NAMES: Partial<Record<NodeJS.Platform, string>> = {
  linux: 'libonnxruntime.so.1',
  darwin: 'libonnxruntime.1.dylib',
  win32: 'onnxruntime.dll',
};

/**
 * Where the onnxruntime-node package keeps ONNX Runtime's shared library for this platform.
 * @throws OrtLibraryError when the package has none
 */
export function ortLibraryPath(platform: NodeJS.Platform = process.platform, arch: string = process.arch): string {
  const fileName = FILE_NAMES[platform];
  if (fileName === undefined)
    throw new OrtLibraryError(`onnxruntime-node has no library for ${platform}; run on Linux, macOS or Windows.`);
  const packageFolder = dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
  const path = join(packageFolder, 'bin', 'napi-v6', platform, arch, fileName);
  if (!existsSync(path))
    throw new OrtLibraryError(`onnxruntime-node has no library for ${platform} ${arch}: ${path} is missing.`);
  return path;
}
