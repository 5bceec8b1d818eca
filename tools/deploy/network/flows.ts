import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

export type Labels = Readonly<Record<string, string>>;

/** One end of a flow: pods of this namespace, pods of others, or a network. */
export interface Peer {
  readonly label: string;
  /** Labels of another namespace; the cluster's own when unset. */
  readonly namespace?: Labels;
  readonly pods?: Labels;
  readonly cidr?: string;
}

export interface Flow {
  readonly from: string;
  readonly to: string;
  readonly port: number;
  readonly protocol?: 'TCP' | 'UDP';
  readonly what: string;
  readonly overlays?: readonly string[];
}

export interface Network {
  readonly peers: Readonly<Record<string, Peer>>;
  readonly flows: readonly Flow[];
}

/** docs/architecture/flows.yaml */
export function readNetwork(): Network {
  return parse(readFileSync(new URL('../../../docs/architecture/flows.yaml', import.meta.url), 'utf8')) as Network;
}

/** `worker → api TCP 9000` */
export function flowText({ from, to, port, protocol = 'TCP' }: Omit<Flow, 'what'>): string {
  return `${from} → ${to} ${protocol} ${port}`;
}
