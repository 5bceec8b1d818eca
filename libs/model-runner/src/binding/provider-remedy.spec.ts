import { expect, it } from 'vitest';
import { type LibraryProbe, providerRemedy } from './provider-remedy.ts';

const whole: LibraryProbe = { folder: '/ort', exists: () => true, load: () => {} };
const without = (library: string): LibraryProbe => ({
  ...whole,
  load: () => {
    throw new Error(`${library}: cannot open shared object file: No such file or directory`);
  },
});

it('says which of CUDA’s libraries the package lacks, and how they are installed', () => {
  const probe = { ...whole, exists: (path: string) => !path.includes('cuda') };
  const remedy = providerRemedy('cuda', 'Failed to load shared library', probe);
  expect(remedy).toMatch(/^libonnxruntime_providers_cuda.so is missing beside libonnxruntime/);
  expect(remedy).toContain('script/install.js');
});

it.each([
  ['libcudnn.so.9', /cuDNN 9/],
  ['libcublasLt.so.12', /runtime libraries of CUDA 12 and name their folder in LD_LIBRARY_PATH/],
  ['libcudart.so.13', /runtime libraries of CUDA 13/],
  ['libcurand.so.10', /runtime libraries of its version of CUDA/],
  ['libcuda.so.1', /NVIDIA's driver on the host/],
])('names %s, which the loader misses, and what brings it', (library, remedy) => {
  const text = providerRemedy('cuda', 'Failed to load shared library', without(library));
  expect(text).toContain(library);
  expect(text).toMatch(remedy);
});

it.each([
  ['CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version', /too old/],
  ['CUDA failure 100: no CUDA-capable device is detected', /no GPU is visible/],
  ['CUDA failure 2: out of memory', /too little free memory/],
])('explains "%s"', (message, remedy) => {
  expect(providerRemedy('cuda', message, whole)).toMatch(remedy);
});

it('does not take the symbols that only libonnxruntime has for a fault, and passes on what it does not know', () => {
  const probe = {
    ...whole,
    load: () => {
      throw new Error('undefined symbol: Provider_GetHost');
    },
  };
  expect(providerRemedy('cuda', 'something new', probe)).toBe('something new');
});

it('asks for a Vulkan driver where WebGPU finds no adapter', () => {
  expect(providerRemedy('webgpu', 'Failed to get a WebGPU adapter: No supported adapters')).toMatch(/Vulkan 1.3/);
});
