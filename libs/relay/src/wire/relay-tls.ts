import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { type ChannelCredentials, type ChannelOptions, credentials, ServerCredentials } from '@grpc/grpc-js';
import { RelayTlsError } from '../errors/relay-tls-error.ts';

/** What an API replica shows to workers. All PEM. */
export interface RelayServerTls {
  /** The relay's certificate, then its chain. */
  readonly certificate: string;
  readonly key: string;
  /** Signers of workers' certificates; only workers with one of theirs are let in. Nobody is asked when unset. */
  readonly clientCa?: string | undefined;
}

/** What a worker demands and shows. All PEM. */
export interface RelayDialerTls {
  /** Who may have signed the relay's certificate. */
  readonly ca: string;
  /** DNS name that the relay's certificate has to be for: replicas are dialled by address. */
  readonly serverName: string;
  /** Shown to a relay that asks, with its key. */
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
}

/** @throws RelayTlsError */
export function serverCredentials(tls: RelayServerTls | undefined): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure();
  const { certificate, key, clientCa } = tls;
  checkUsable(certificate, key, clientCa);
  return ServerCredentials.createSsl(
    clientCa === undefined ? null : Buffer.from(clientCa),
    [{ cert_chain: Buffer.from(certificate), private_key: Buffer.from(key) }],
    clientCa !== undefined,
  );
}

/** @throws RelayTlsError */
export function dialerCredentials(tls: RelayDialerTls | undefined): ChannelCredentials {
  if (tls === undefined) return credentials.createInsecure();
  const { ca, certificate, key } = tls;
  checkUsable(certificate, key, ca);
  return credentials.createSsl(
    Buffer.from(ca),
    key === undefined ? null : Buffer.from(key),
    certificate === undefined ? null : Buffer.from(certificate),
  );
}

export function dialerTlsOptions(tls: RelayDialerTls | undefined): ChannelOptions {
  return tls === undefined ? {} : { 'grpc.ssl_target_name_override': tls.serverName };
}

function checkUsable(cert: string | undefined, key: string | undefined, ca: string | undefined): void {
  try {
    createSecureContext({ ...(cert !== undefined && { cert }), ...(key !== undefined && { key }) });
    // A secure context passes over authorities that it can not read.
    if (ca !== undefined) new X509Certificate(ca);
  } catch (error) {
    throw new RelayTlsError(error);
  }
}
