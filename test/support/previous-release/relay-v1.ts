import {
  Client,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  status,
} from '@grpc/grpc-js';
import { relay } from '#contracts';

const VERSION = 1;
const path = '/millrace.relay.v1.Relay/Attach';
const bytes = (encoded: Uint8Array) => Buffer.from(encoded);
const method = {
  path,
  requestStream: true,
  responseStream: true,
  requestSerialize: (message: relay.WorkerMessage) => bytes(relay.WorkerMessage.encode(message).finish()),
  requestDeserialize: (buffer: Buffer) => relay.WorkerMessage.decode(buffer),
  responseSerialize: (message: relay.ApiMessage) => bytes(relay.ApiMessage.encode(message).finish()),
  responseDeserialize: (buffer: Buffer) => relay.ApiMessage.decode(buffer),
} as const;

/** The relay's end of a worker of the previous release: knows version 1 alone, and nothing of what a grant may resume. */
export class RelayWorkerV1 implements AsyncDisposable {
  readonly #client: Client;
  readonly #call;
  readonly #welcome = Promise.withResolvers<void>();
  readonly #answers = new Map<string, (granted: boolean) => void>();

  constructor(address: string, token: string | undefined, workerId: string) {
    const metadata = new Metadata();
    if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
    this.#client = new Client(address, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
    this.#call = this.#client.makeBidiStreamRequest(
      path,
      method.requestSerialize,
      method.responseDeserialize,
      metadata,
    );
    this.#call.on('error', (error: Error) => this.#welcome.reject(error));
    this.#call.on('data', ({ message }: relay.ApiMessage) => {
      if (message?.$case === 'welcome') {
        if (message.value.protocolVersion === VERSION) this.#welcome.resolve();
        else
          this.#welcome.reject(new Error(`the replica speaks version ${message.value.protocolVersion}, this worker 1`));
      } else if (message !== undefined) this.#answers.get(message.value.requestId)?.(message.$case === 'grant');
    });
    this.#call.write({
      message: { $case: 'hello', value: { workerId, protocolVersion: VERSION, models: [], slots: 4, processId: '' } },
    });
  }

  async claim(requestId: string, epoch: number): Promise<boolean> {
    await this.#welcome.promise;
    const answer = new Promise<boolean>((resolve) => this.#answers.set(requestId, resolve));
    this.#call.write({ message: { $case: 'accepted', value: { requestId, epoch } } });
    return answer;
  }

  /** Sends one token with its text, from index 0 of the answer whatever was said before. */
  say(requestId: string, epoch: number, firstIndex: number, text: string): void {
    const delta = { requestId, epoch, choice: 0, firstIndex, tokenIds: [1], text, logprobs: [] };
    this.#call.write({ message: { $case: 'step', value: { step: 1, deltas: [delta], finished: [], failed: [] } } });
  }

  finish(requestId: string, epoch: number, completionTokens: number): void {
    const { FINISH_REASON_STOP: reason } = relay.FinishReason;
    const finished = { requestId, epoch, choice: 0, reason, stopString: '', completionTokens, cachedPromptTokens: 0 };
    this.#call.write({ message: { $case: 'step', value: { step: 2, deltas: [], finished: [finished], failed: [] } } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#call.cancel();
    this.#client.close();
  }
}

/** The relay of an API replica of the previous release: refuses every version but 1, and grants whatever is claimed. */
export class RelayReplicaV1 implements AsyncDisposable {
  readonly deltas: relay.Delta[] = [];
  readonly finished: relay.Finished[] = [];
  readonly #server = new Server();
  #port = 0;

  static async listen(): Promise<RelayReplicaV1> {
    const replica = new RelayReplicaV1();
    replica.#server.addService({ attach: method }, { attach: (call: Call) => replica.#attach(call) });
    replica.#port = await new Promise((resolve, reject) => {
      const done = (error: Error | null, port: number) => (error === null ? resolve(port) : reject(error));
      replica.#server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), done);
    });
    return replica;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  get text(): string {
    return this.deltas.map((delta) => delta.text).join('');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.forceShutdown();
  }

  #attach(call: Call): void {
    call.on('error', () => undefined);
    call.on('data', ({ message }: relay.WorkerMessage) => {
      if (message?.$case === 'hello') this.#greet(call, message.value.protocolVersion);
      else if (message?.$case === 'accepted') {
        const { requestId, epoch } = message.value;
        call.write({ message: { $case: 'grant', value: { requestId, epoch, resume: [] } } });
      } else if (message?.$case === 'step') {
        this.deltas.push(...message.value.deltas);
        this.finished.push(...message.value.finished);
      } else {
        // What it does not know, it reads as a message without content.
        call.emit('error', { code: status.INVALID_ARGUMENT, details: 'a message without known content' });
      }
    });
    call.on('end', () => call.end());
  }

  #greet(call: Call, version: number): void {
    if (version === VERSION) {
      call.write({
        message: { $case: 'welcome', value: { replicaId: 'old', protocolVersion: VERSION, makesOffers: false } },
      });
    } else {
      call.emit('error', { code: status.FAILED_PRECONDITION, details: `version ${version} does not match version 1` });
    }
  }
}

type Call = ServerDuplexStream<relay.WorkerMessage, relay.ApiMessage>;
