/** A provider has too little memory left for what was asked of it. */
export class DeviceMemoryError extends Error {
  readonly code = 'device_memory';

  constructor(bytes: number, provider: string, options: { cause?: unknown } = {}) {
    super(`the ${provider} device has no room for ${Math.ceil(bytes / 2 ** 20)} MiB more`, options);
    this.name = 'DeviceMemoryError';
  }
}
