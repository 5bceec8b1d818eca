/** Order of a tenant's own waiting requests, first to last. It never changes anything for another tenant. */
export const PRIORITY_CLASSES = ['high', 'normal', 'low'] as const;
export type PriorityClass = (typeof PRIORITY_CLASSES)[number];
