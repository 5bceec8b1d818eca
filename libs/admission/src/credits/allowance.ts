import { z } from 'zod';

/** By the calendar in UTC; weeks begin on Monday. */
export const AllowancePeriod = z.enum(['day', 'week', 'month']);
export type AllowancePeriod = z.infer<typeof AllowancePeriod>;

/** Credits that are there anew with each period; what of them was not used ends with it. */
export const Allowance = z.strictObject({
  /** No smaller than the smallest amount that an account can hold. */
  credits: z.number().min(0.000001).max(1_000_000_000),
  period: AllowancePeriod.describe('Of the calendar in UTC; weeks begin on Monday.'),
});
export type Allowance = z.infer<typeof Allowance>;
