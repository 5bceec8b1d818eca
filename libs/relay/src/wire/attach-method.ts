import type { ClientDuplexStream, MethodDefinition } from '@grpc/grpc-js';
import { relay } from '#contracts';

/**
 * `millrace.relay.v1.Relay/Attach` with the worker's side already encoded: the dialer counts the bytes it has
 * in flight, so it encodes before it writes, and both directions hand over views instead of copies.
 */
export const attachMethod = {
  path: relay.RelayService.attach.path,
  requestStream: true,
  responseStream: true,
  requestSerialize: (encoded: Buffer) => encoded,
  responseDeserialize: (bytes: Buffer) => relay.ApiMessage.decode(bytes),
} as const;

/** The server's view of the same method. @param onBytes hears how long each message of a worker is */
export function attachHandlerDefinition(
  onBytes: (bytes: number) => void,
): MethodDefinition<relay.WorkerMessage, relay.ApiMessage> {
  return {
    path: relay.RelayService.attach.path,
    requestStream: true,
    responseStream: true,
    requestSerialize: encodeWorkerMessage,
    requestDeserialize: (bytes) => {
      onBytes(bytes.length);
      return relay.WorkerMessage.decode(bytes);
    },
    responseSerialize: (message) => asBuffer(relay.ApiMessage.encode(message).finish()),
    responseDeserialize: (bytes) => relay.ApiMessage.decode(bytes),
  };
}

export type AttachCall = ClientDuplexStream<Buffer, relay.ApiMessage>;

export function encodeWorkerMessage(message: relay.WorkerMessage): Buffer {
  return asBuffer(relay.WorkerMessage.encode(message).finish());
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
