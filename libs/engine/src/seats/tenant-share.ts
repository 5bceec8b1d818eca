/** What one tenant has of an engine's seats. */
export class TenantShare {
  readonly tenantId: string;
  /** Share of the seats relative to the others' while they want them too. */
  weight: number;
  /** Sequences in the engine, seated or not. */
  sequences = 0;
  seats = 0;
  /** Seats held × runs ÷ weight, since the beginning or from where it was lifted to. */
  servedSteps = 0;

  constructor(tenantId: string, weight: number) {
    this.tenantId = tenantId;
    this.weight = weight;
  }

  /** Of one seat. */
  get seatValue(): number {
    return 1 / this.weight;
  }
}
