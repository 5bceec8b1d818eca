import { NO_SPAN } from './no-span.ts';

export type AttributeValue = string | number | boolean | readonly string[];
export type Attributes = Readonly<Record<string, AttributeValue | null>>;

/** Which side of a call a span is; `internal` for work inside a process. */
export type SpanRole = 'server' | 'internal' | 'producer' | 'consumer';

export interface SpanStart {
  readonly role?: SpanRole;
  /** Attributes that are null are left out. */
  readonly attributes?: Attributes;
  /** Unix time in ms, with fractions; now when unset. Also in all other places. */
  readonly atMs?: number;
}

/** One piece of work in a trace. Nothing may be done with it after `end`, except asking for its `traceparent`. */
export interface TraceSpan {
  /** False when nothing is kept of it, so that attributes need not be gathered. */
  readonly recording: boolean;
  /** W3C trace context that makes spans of other processes its children; null when tracing is off. */
  readonly traceparent: string | null;
  child(name: string, start?: SpanStart): TraceSpan;
  set(attributes: Attributes): void;
  event(name: string, attributes?: Attributes, atMs?: number): void;
  /** @param code short and of few kinds, as `worker_lost` */
  fail(code: string, message: string): void;
  /** A second call does nothing. */
  end(atMs?: number): void;
}

/** Where a process begins spans that have no parent in it. */
export interface Tracing {
  readonly on: boolean;
  /** @param traceparent of the caller; null begins a trace */
  begin(name: string, traceparent: string | null, start?: SpanStart): TraceSpan;
  /** Sends what is left. Never rejects. */
  close(): Promise<void>;
}

/** Tracing that is switched off: no object is made per request. */
export const NO_TRACING: Tracing = {
  on: false,
  begin: () => NO_SPAN,
  close: async () => {},
};
