import type { RequestObserver } from './request-observer.ts';

/** For requests that nobody measures. */
export const UNOBSERVED: RequestObserver = {
  traceparent: null,
  epoch: null,
  authenticated: () => {},
  preparing: (_request, work) => work(),
  prepared: () => {},
  admitting: (work) => work(),
  attempts: { queued: () => {}, granted: () => {}, lost: () => {} },
  listening: (listener) => listener,
  ended: () => {},
  refused: () => {},
  responded: () => {},
};
