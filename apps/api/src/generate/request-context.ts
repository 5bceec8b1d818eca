import type { TenantContext } from '../auth/tenant-context.ts';

/** Who asks, under which id, and whether they are still there. */
export interface RequestContext {
  readonly requestId: string;
  readonly tenant: TenantContext;
  /** W3C trace context that came with the request. */
  readonly traceparent: string | null;
  /** Aborted when the client closes its connection. */
  readonly gone: AbortSignal;
}
