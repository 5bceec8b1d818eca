import { createHash } from 'node:crypto';

/** Streams that are kept ready at most; each is a ping a second. Any further replica is dialled when a job names it. */
const MOST_KEPT = 16;

export interface PresentReplicasParts {
  readonly workerId: string;
  /** Of the API replicas that live, the relay addresses by replica id. Rejects while Redis is away. */
  readonly addresses: () => Promise<ReadonlyMap<string, string>>;
  /** Opens streams to these and keeps them. */
  readonly keepReady: (replicas: ReadonlyMap<string, string>) => void;
}

/** Has a stream to each API replica ready before the first job that names it comes. */
export class PresentReplicas {
  readonly #parts: PresentReplicasParts;

  constructor(parts: PresentReplicasParts) {
    this.#parts = parts;
  }

  /** Never rejects: without streams that are ready jobs dial, and that Redis is away the heartbeat tells. */
  async look(): Promise<void> {
    const { workerId, addresses, keepReady } = this.#parts;
    const present = await addresses().catch(() => null);
    if (present !== null) keepReady(keptOf(present, workerId, MOST_KEPT));
  }
}

/** So many of the replicas, each worker its own choice, which a replica that comes or goes changes by one (rendezvous hashing). */
export function keptOf(
  present: ReadonlyMap<string, string>,
  workerId: string,
  most: number,
): ReadonlyMap<string, string> {
  if (present.size <= most) return present;
  const ranked = [...present].map(([replicaId, address]) => {
    const rank = createHash('sha1').update(`${workerId} ${replicaId}`).digest('hex');
    return { rank, replica: [replicaId, address] as const };
  });
  ranked.sort((one, other) => (one.rank < other.rank ? -1 : 1));
  return new Map(ranked.slice(0, most).map(({ replica }) => replica));
}
