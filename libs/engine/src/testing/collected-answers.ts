import type { EnginePort } from '../engine-port.ts';
import type { RequestFailure, SequenceFinish, StepOutput } from '../step-output.ts';

export interface CollectedAnswer {
  readonly tokenIds: number[];
  text: string;
  finish: SequenceFinish | null;
}

/** Puts together what an engine publishes, and checks that no token is skipped, repeated or later than its finish. */
export class CollectedAnswers {
  readonly answers = new Map<string, CollectedAnswer>();
  readonly failures = new Map<string, RequestFailure>();
  readonly outputs: StepOutput[] = [];

  constructor(engine: EnginePort) {
    engine.onStep((output) => this.#take(output));
  }

  answer(requestId: string, choice = 0): CollectedAnswer {
    const key = `${requestId}/${choice}`;
    const known = this.answers.get(key);
    if (known !== undefined) return known;
    const answer: CollectedAnswer = { tokenIds: [], text: '', finish: null };
    this.answers.set(key, answer);
    return answer;
  }

  #take(output: StepOutput): void {
    this.outputs.push(output);
    for (const delta of output.deltas) {
      const answer = this.answer(delta.requestId, delta.choice);
      if (answer.finish !== null) throw new Error(`${delta.requestId}/${delta.choice}: a token after its finish`);
      if (delta.firstIndex !== answer.tokenIds.length) {
        throw new Error(
          `${delta.requestId}/${delta.choice}: token ${delta.firstIndex} after ${answer.tokenIds.length}`,
        );
      }
      answer.tokenIds.push(...delta.tokenIds);
      answer.text += delta.text;
    }
    for (const finish of output.finished) {
      const answer = this.answer(finish.requestId, finish.choice);
      if (answer.finish !== null) throw new Error(`${finish.requestId}/${finish.choice} finished twice`);
      if (finish.completionTokens !== answer.tokenIds.length) {
        throw new Error(`${finish.requestId}/${finish.choice} counts ${finish.completionTokens} tokens`);
      }
      answer.finish = finish;
    }
    for (const failure of output.failed) {
      if (this.failures.has(failure.requestId)) throw new Error(`${failure.requestId} failed twice`);
      this.failures.set(failure.requestId, failure);
    }
  }
}
