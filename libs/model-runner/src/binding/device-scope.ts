import type { DeviceAccess, DeviceBuffer, SessionBinding } from './session-binding.ts';

/** A part of what lies on a session's device, which is freed together, before the session is closed. */
export class DeviceScope implements DeviceAccess, Disposable {
  readonly #device: DeviceAccess;
  readonly #buffers: DeviceBuffer[] = [];
  readonly #graphs: SessionBinding[] = [];

  constructor(device: DeviceAccess) {
    this.#device = device;
  }

  get transferredBytes(): number {
    return this.#device.transferredBytes;
  }

  allocate(bytes: number): DeviceBuffer {
    const buffer = this.#device.allocate(bytes);
    this.#buffers.push(buffer);
    return buffer;
  }

  openGraph(...graph: Parameters<DeviceAccess['openGraph']>): SessionBinding {
    const opened = this.#device.openGraph(...graph);
    this.#graphs.push(opened);
    return opened;
  }

  /** No run may use what was made here any more. */
  [Symbol.dispose](): void {
    // Graphs on a device block their thread, so closing one makes no promise.
    for (const graph of this.#graphs.splice(0)) void graph.close();
    for (const buffer of this.#buffers.splice(0)) buffer.free();
  }
}
