/**
 * - `queued`: no worker has taken it
 * - `running`: a worker has it, or the next one is being waited for after one was lost
 * - `finished`, `failed`, `cancelled`: it is over
 */
export type RequestState = 'queued' | 'running' | 'finished' | 'failed' | 'cancelled';

/** What a request has come to, as every replica can read it. It does not grow with the answer. */
export interface RequestRecord {
  readonly requestId: string;
  readonly model: string;
  readonly state: RequestState;
  /** The API replica that works on it. */
  readonly replicaId: string;
  /** Number of its attempt. */
  readonly epoch: number;
  /** Unix times in ms; null for what has not happened. */
  readonly createdAtMs: number;
  readonly startedAtMs: number | null;
  readonly endedAtMs: number | null;
  /** Whether its answer is kept, so that a client can come back to it. */
  readonly kept: boolean;
  /** One per choice, for a finished request. */
  readonly finishReasons: readonly string[];
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
  /** Code of libs/contracts and message of a failed request; null for others. */
  readonly error: { readonly code: string; readonly message: string } | null;
}

/** From a hash of Redis; null for an empty one. */
export function requestRecordOf(hash: Readonly<Record<string, string>>): RequestRecord | null {
  const { requestId, state, errorCode } = hash;
  if (requestId === undefined || state === undefined) return null;
  const timeOf = (name: string) => (hash[name] === undefined ? null : Number(hash[name]));
  const countOf = (name: string) => Number(hash[name] ?? 0);
  return {
    requestId,
    state: state as RequestState,
    model: hash.model ?? '',
    replicaId: hash.replicaId ?? '',
    epoch: countOf('epoch'),
    createdAtMs: countOf('createdAtMs'),
    startedAtMs: timeOf('startedAtMs'),
    endedAtMs: timeOf('endedAtMs'),
    kept: hash.kept === '1',
    finishReasons: (hash.finishReasons ?? '').split(',').filter((reason) => reason !== ''),
    promptTokens: countOf('promptTokens'),
    cachedTokens: countOf('cachedTokens'),
    completionTokens: countOf('completionTokens'),
    error: errorCode === undefined ? null : { code: errorCode, message: hash.errorMessage ?? '' },
  };
}

/** The fields of a hash for what is known of a record; nulls are left out. */
export function recordFieldsOf(part: Partial<RequestRecord>): string[] {
  const { kept, finishReasons, error, ...plain } = part;
  const fields = Object.entries(plain).flatMap(([name, value]) => (value === null ? [] : [name, String(value)]));
  if (kept !== undefined) fields.push('kept', kept ? '1' : '0');
  if (finishReasons !== undefined) fields.push('finishReasons', finishReasons.join(','));
  if (error != null) fields.push('errorCode', error.code, 'errorMessage', error.message.slice(0, 1_000));
  return fields;
}
