import { RelayStreamError } from './relay-stream-error.ts';

/** An API replica reads more slowly than the engine writes; the stream was broken instead of buffering without bound. */
export class RelayOverflowError extends RelayStreamError {
  constructor(address: string, pendingBytes: number, maxPendingBytes: number) {
    super(
      address,
      `${pendingBytes} bytes wait to be read, over the limit of ${maxPendingBytes} (maxPendingBytes). The replica ` +
        'hangs or the network is too slow for this worker.',
    );
    this.name = 'RelayOverflowError';
  }
}
