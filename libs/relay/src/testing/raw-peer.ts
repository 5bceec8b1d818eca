import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import type { relay } from '#contracts';
import { type AttachCall, attachMethod, encodeWorkerMessage } from '../wire/attach-method.ts';
import { tokenMetadata } from '../wire/relay-token.ts';

/** A peer that speaks gRPC but keeps no rule of the relay unless told to. */
export class RawPeer implements AsyncDisposable {
  readonly answers: relay.ApiMessage[] = [];
  /** The status with which the server ended the stream, once it did. */
  readonly error: Promise<ServiceError>;
  readonly #client: Client;
  readonly #call: AttachCall;

  constructor(address: string, token: string | undefined) {
    this.#client = new Client(address, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
    this.#call = this.#client.makeBidiStreamRequest(
      attachMethod.path,
      attachMethod.requestSerialize,
      attachMethod.responseDeserialize,
      tokenMetadata(token),
    );
    this.#call.on('data', (answer: relay.ApiMessage) => this.answers.push(answer));
    this.error = new Promise((resolve) => this.#call.on('error', (error: ServiceError) => resolve(error)));
  }

  hello(protocolVersion: number, workerId = 'raw', processId = ''): void {
    this.send({ $case: 'hello', value: { workerId, protocolVersion, models: [], slots: 1, processId } });
  }

  send(message: relay.WorkerMessage['message']): void {
    this.write(encodeWorkerMessage({ message }));
  }

  write(bytes: Buffer): void {
    this.#call.write(bytes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#call.cancel();
    this.#client.close();
  }
}
