import { promisify } from 'node:util';
import { deflateRaw, inflateRaw } from 'node:zlib';
import type { AdmissionTerms } from '#admission';
import type { GenerateJob } from '#contracts';
import { decodeJob } from '#queue';
import type { OutputReading } from '../output/output-reading.ts';

const pack = promisify(deflateRaw);
const unpack = promisify(inflateRaw);

/** Bound on what a kept request may unpack to. */
const MAX_BYTES = 512 * 1024 * 1024;

/** What another replica needs to go on with a request, or to tell its answer again. Data of the cluster, never of a client. */
export interface KeptRequest {
  /** Route of its dialect. */
  readonly path: string;
  /** As the client sent it, parsed. */
  readonly body: unknown;
  /** Of its first attempt. */
  readonly job: GenerateJob;
  readonly terms: AdmissionTerms;
  /** Where its prompt left the model: in the middle of reasoning, or before it. */
  readonly reasoning: OutputReading['reasoning'];
  /** What its prompt has of the answer. */
  readonly begun: string;
}

export async function packKeptRequest(request: KeptRequest): Promise<Buffer> {
  return pack(JSON.stringify(request));
}

/** @throws Error when it is not what `packKeptRequest` made */
export async function unpackKeptRequest(packed: Buffer): Promise<KeptRequest> {
  const text = (await unpack(packed, { maxOutputLength: MAX_BYTES })).toString();
  const request = JSON.parse(text) as KeptRequest;
  // Earlier releases kept none, and had no request that began its answer.
  const { begun = '' } = request as Partial<KeptRequest>;
  return { ...request, begun, job: decodeJob(request.job.requestId, request.job) };
}
