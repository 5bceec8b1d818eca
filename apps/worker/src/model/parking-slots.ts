import type { ModelOptions } from '../worker-options.ts';

/** Slots beside the seats that a runner is opened with: for each sequence that may be parked, and one for exchanges (decision 0020). */
export function parkingSlotsOf({ parkingSlots }: Pick<ModelOptions, 'parkingSlots'>): number {
  return parkingSlots === 0 ? 0 : parkingSlots + 1;
}
