import { GREEDY, type ModelRunner, type TokenTable } from '#contracts';
import { Engine } from '#engine';
import { StartError } from '../start-error.ts';

const PROMPT_TOKENS = 32;
const LEAST_STEPS = 8;

/** Tokens per second of the whole engine: scheduling, sampling, text and messages around the same runs. */
export class EngineSpeed {
  readonly #engine: Engine;
  readonly #runner: ModelRunner;
  #serial = 0;
  #deltas = 0;

  constructor(runner: ModelRunner, tokenTable: TokenTable, prefillChunkTokens: number) {
    this.#runner = runner;
    this.#engine = new Engine({ runner, tokenTable, prefillChunkTokens });
    this.#engine.onStep(({ deltas }) => {
      this.#deltas = deltas.length;
    });
  }

  /** Tokens of the answers: rows join one after another, while earlier ones decode already. */
  #answerTokens(rows: number): number {
    return Math.min(128 + 4 * rows, this.#runner.slotTokens - PROMPT_TOKENS);
  }

  /** Average context of the steps that `decode` counts, for bare runs to be compared with. */
  contextTokens(rows: number): number {
    return PROMPT_TOKENS + Math.floor(this.#answerTokens(rows) / 2);
  }

  /** Of so many requests together, in steps in which all of them decode. */
  async decode(rows: number, { sliceMs }: { readonly sliceMs: number }): Promise<number> {
    let steps = 0;
    let stepsMs = 0;
    const enough = () => steps >= LEAST_STEPS && stepsMs >= sliceMs;
    while (!enough()) {
      const stepsBefore = steps;
      const ids = this.#submit(rows);
      for (;;) {
        const prefilled = this.#engine.stats().prefillRunsTotal;
        this.#deltas = 0;
        const beganMs = performance.now();
        if (!(await this.#engine.step())) break;
        const tookMs = performance.now() - beganMs;
        if (this.#deltas !== rows || this.#engine.stats().prefillRunsTotal !== prefilled) continue;
        steps += 1;
        stepsMs += tookMs;
        if (enough()) for (const id of ids) this.#engine.cancel(id, 1);
      }
      if (steps === stepsBefore) {
        throw new StartError(`${rows} requests never ran all together; give fewer MILLRACE_SLOTS.`);
      }
    }
    return (rows * 1_000 * steps) / stepsMs;
  }

  /** Frees the runner too. */
  async close(): Promise<void> {
    await this.#engine.close();
  }

  #submit(rows: number): string[] {
    const { vocabularySize } = this.#runner.shape;
    return Array.from({ length: rows }, (_, row) => {
      const requestId = `bench-${this.#serial++}`;
      this.#engine.submit({
        requestId,
        epoch: 1,
        promptTokenIds: Int32Array.from({ length: PROMPT_TOKENS }, (_, i) => (i * 37 + row * 101 + 3) % vocabularySize),
        choices: 1,
        sampling: GREEDY,
        stop: { tokenIds: [], strings: [], maxTokens: this.#answerTokens(rows) },
        topLogprobs: null,
      });
      return requestId;
    });
  }
}
