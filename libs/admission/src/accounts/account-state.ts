import type { AllowancePeriod } from '../credits/allowance.ts';

/** How the allowance of the present period stands. */
export interface AllowanceStanding {
  readonly microcredits: number;
  /** Neither held nor spent; below zero, so much more than all of it is, from what was granted. */
  readonly leftMicrocredits: number;
  /** Unix time in ms at which it ends and the next one begins. */
  readonly renewsAtMs: number;
}

/** Integer microcredits; held + spent + expired = granted + renewed − balance, always. */
export interface AccountSums {
  /** By hand, and to an unlimited tenant what it holds and spends. */
  readonly granted: number;
  /** By allowances, of all periods. */
  readonly renewed: number;
  readonly balance: number;
  readonly held: number;
  readonly spent: number;
  /** Of allowances, unused at the end of their periods. */
  readonly expired: number;
}

export interface AccountState {
  readonly sums: AccountSums;
  /** Nothing of it is below zero here. */
  readonly allowance: (AllowanceStanding & { readonly period: AllowancePeriod }) | null;
}

/** What is left out stays as it is. */
export interface AllowanceChange {
  readonly microcredits?: number;
  readonly period?: AllowancePeriod;
}
