import type { MethodDefinition } from '@grpc/grpc-js';

/** What the processes of the bare chain tell each other, as JSON. */
export type ChainMessage =
  | { readonly kind: 'claim'; readonly id: string }
  | { readonly kind: 'grant'; readonly id: string }
  | { readonly kind: 'token'; readonly id: string; readonly text: string; readonly last: boolean };

const write = (message: ChainMessage): Buffer => Buffer.from(JSON.stringify(message));
const read = (bytes: Buffer): ChainMessage => JSON.parse(bytes.toString());

export const CHAIN_METHOD: MethodDefinition<ChainMessage, ChainMessage> = {
  path: '/bench.Chain/Attach',
  requestStream: true,
  responseStream: true,
  requestSerialize: write,
  requestDeserialize: read,
  responseSerialize: write,
  responseDeserialize: read,
};

export const CHAIN_QUEUE = 'bare-chain';

export interface ChainJob {
  readonly id: string;
  readonly tokens: number;
}
