import type { ChannelOptions } from '@grpc/grpc-js';
import { MAX_MESSAGE_BYTES } from './protocol.ts';

/**
 * After this much silence a side pings; a peer that has not answered after as long again and a quarter is dead.
 * 800 ms shows a dead peer after at most 1.8 s and still forgives an event loop that hangs for a second.
 */
export const DEFAULT_KEEPALIVE_MS = 800;

/** One stream per connection is used; the rest is room for a reconnect that overlaps the old one. */
const MAX_STREAMS_PER_CONNECTION = 4;

/**
 * Options of both sides. grpc-js enforces no minimum ping interval as a server, so only these values count;
 * servers of other implementations would need `grpc.http2.min_ping_interval_without_data_ms` lowered.
 */
function sharedOptions(keepaliveMs: number): ChannelOptions {
  return {
    'grpc.keepalive_time_ms': keepaliveMs,
    'grpc.keepalive_timeout_ms': Math.ceil(keepaliveMs * 1.25),
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
    'grpc.enable_channelz': 0,
  };
}

export function serverOptions(keepaliveMs: number): ChannelOptions {
  return { ...sharedOptions(keepaliveMs), 'grpc.max_concurrent_streams': MAX_STREAMS_PER_CONNECTION };
}

export function dialerOptions(keepaliveMs: number): ChannelOptions {
  return {
    ...sharedOptions(keepaliveMs),
    'grpc.keepalive_permit_without_calls': 1,
    // The dialer has its own backoff, and a retried call would repeat frames.
    'grpc.enable_retries': 0,
    'grpc.service_config_disable_resolution': 1,
    'grpc.enable_http_proxy': 0,
    // A second dialer in the process must not share, and so break with, this one's connection.
    'grpc.use_local_subchannel_pool': 1,
  };
}
