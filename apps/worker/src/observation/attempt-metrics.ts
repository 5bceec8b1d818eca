import type { FinishReason } from '#engine';
import { type CounterChild, type HistogramChild, METRICS, type Metrics } from '#observability';
import type { AttemptObserver, ClaimEnd, JobObserver } from './attempt-observer.ts';

const MS_PER_SECOND = 1_000;

/** The histograms that all attempts of a model share, looked up once. */
interface AttemptHistograms {
  readonly interToken: HistogramChild;
  readonly engineQueue: HistogramChild;
  readonly prefill: HistogramChild;
  readonly decode: HistogramChild;
  readonly inference: HistogramChild;
  readonly cancel: HistogramChild;
}

/** Counts jobs and measures their phases. */
export class JobMetrics implements JobObserver {
  readonly #histograms: AttemptHistograms;
  readonly #claims: Readonly<Record<ClaimEnd, CounterChild>>;
  readonly #tokens: CounterChild;

  constructor(metrics: Metrics, model: string) {
    const labels = { model_name: model };
    this.#histograms = {
      interToken: metrics.family(METRICS.interTokenLatency).child(labels),
      engineQueue: metrics.family(METRICS.engineQueueTime).child(labels),
      prefill: metrics.family(METRICS.requestPrefillTime).child(labels),
      decode: metrics.family(METRICS.requestDecodeTime).child(labels),
      inference: metrics.family(METRICS.requestInferenceTime).child(labels),
      cancel: metrics.family(METRICS.engineCancelLatency).child(labels),
    };
    const jobs = metrics.family(METRICS.jobs);
    const of = (outcome: ClaimEnd) => jobs.child({ ...labels, outcome });
    this.#claims = {
      granted: of('granted'),
      resumed: of('resumed'),
      denied: of('denied'),
      refused: of('refused'),
      repeated: of('repeated'),
    };
    this.#tokens = metrics.family(METRICS.generationTokens).child(labels);
  }

  attempt(): AttemptObserver {
    return new AttemptMetrics(this.#histograms, this.#tokens);
  }

  claim(end: ClaimEnd): void {
    this.#claims[end].inc();
  }
}

class AttemptMetrics implements AttemptObserver {
  readonly #histograms: AttemptHistograms;
  readonly #generated: CounterChild;
  #granted = false;
  #submittedAtMs: number | null = null;
  #seatedAtMs: number | null = null;
  #firstTokenAtMs: number | null = null;
  #lastTokenAtMs = 0;
  #cancelledAtMs: number | null = null;
  /** By choice: when its last token came. */
  readonly #lastOfChoiceMs: number[] = [];

  constructor(histograms: AttemptHistograms, generated: CounterChild) {
    this.#histograms = histograms;
    this.#generated = generated;
  }

  granted(): void {
    this.#granted = true;
  }

  submitted(atMs: number): void {
    this.#submittedAtMs = atMs;
  }

  seated(atMs: number): void {
    if (this.#seatedAtMs !== null) return;
    this.#seatedAtMs = atMs;
    if (this.#submittedAtMs !== null) this.#histograms.engineQueue.observe(seconds(atMs - this.#submittedAtMs));
  }

  tokens(choice: number, count: number, atMs: number): void {
    const lastMs = this.#lastOfChoiceMs[choice];
    if (lastMs !== undefined) this.#histograms.interToken.observe(seconds(atMs - lastMs) / count, count);
    this.#lastOfChoiceMs[choice] = atMs;
    this.#lastTokenAtMs = atMs;
    this.#generated.inc(count);
    if (this.#firstTokenAtMs !== null) return;
    this.#firstTokenAtMs = atMs;
    const sinceMs = this.#seatedAtMs ?? this.#submittedAtMs ?? atMs;
    this.#histograms.prefill.observe(seconds(atMs - sinceMs));
  }

  choiceEnded(_choice: number, _reason: FinishReason): void {}

  cancelled(_reason: string, atMs: number): void {
    this.#cancelledAtMs ??= atMs;
  }

  failed(_code: string): void {}

  ended(atMs: number): void {
    if (this.#cancelledAtMs !== null) this.#histograms.cancel.observe(seconds(atMs - this.#cancelledAtMs));
    if (this.#firstTokenAtMs !== null) {
      this.#histograms.decode.observe(seconds(this.#lastTokenAtMs - this.#firstTokenAtMs));
    }
    if (this.#granted && this.#submittedAtMs !== null) {
      this.#histograms.inference.observe(seconds(atMs - this.#submittedAtMs));
    }
  }
}

function seconds(ms: number): number {
  return Math.max(0, ms) / MS_PER_SECOND;
}
