export type { ClaimOutcome, ClaimRequest, RelaySink, RelaySubscription } from './relay-ports.ts';
