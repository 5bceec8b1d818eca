import { attemptKey } from '#contracts';
import type { EnginePort, EngineRequest, RequestFailure, SequenceFinish, StepOutput } from '#engine';
import type { ConstraintTranslator } from './constraint-translator.ts';

/** What requests go through. */
type RequestPort = Pick<EnginePort, 'submit' | 'cancel' | 'onStep' | 'stats'>;

/**
 * An engine that is given grammars with its requests. A request whose constraint has to be translated first waits for that here, is cancelled here
 * meanwhile, and ends here where there is no such grammar; all others pass through.
 */
export class TranslatingEngine implements RequestPort {
  readonly #engine: RequestPort;
  readonly #translator: Pick<ConstraintTranslator, 'kept' | 'translate'>;
  readonly #listeners: ((output: StepOutput) => void)[] = [];
  readonly #translating = new Map<string, { readonly request: EngineRequest; readonly given: AbortController }>();

  constructor(engine: RequestPort, translator: Pick<ConstraintTranslator, 'kept' | 'translate'>) {
    this.#engine = engine;
    this.#translator = translator;
  }

  submit(request: EngineRequest): void {
    const { constraint } = request;
    if (constraint === undefined || constraint === null || constraint.type === 'text') {
      this.#engine.submit(request);
      return;
    }
    const translated = this.#translator.kept(constraint);
    if (translated !== null) {
      this.#engine.submit({ ...request, translated });
      return;
    }
    const given = new AbortController();
    this.#translating.set(attemptKey(request.requestId, request.epoch), { request, given });
    this.#translator.translate(constraint, request.tenantId ?? '', given.signal).then(
      (grammar) => {
        if (this.#leave(request, given)) this.#engine.submit({ ...request, translated: grammar });
      },
      (error: Error) => {
        if (!this.#leave(request, given)) return;
        const { requestId, epoch } = request;
        const message = `the ${constraint.type} constraint can not be enforced: ${error.message}`;
        this.#tell([], [{ requestId, epoch, code: 'invalid_request', message }]);
      },
    );
  }

  cancel(requestId: string, epoch: number): void {
    const waiting = this.#translating.get(attemptKey(requestId, epoch));
    if (waiting === undefined || !this.#leave(waiting.request, waiting.given)) {
      this.#engine.cancel(requestId, epoch);
      return;
    }
    const { choices, resume } = waiting.request;
    const finished = Array.from({ length: choices }, (_, choice) => choice)
      .filter((choice) => resume?.[choice]?.finished !== true)
      .map(
        (choice): SequenceFinish => ({
          ...{ requestId, epoch, choice, reason: 'cancelled', stopString: null, cachedPromptTokens: 0 },
          completionTokens: resume?.[choice]?.tokenIds.length ?? 0,
        }),
      );
    // After the caller is done, as it comes from an engine's thread.
    queueMicrotask(() => this.#tell(finished, []));
  }

  onStep(listener: (output: StepOutput) => void): void {
    this.#listeners.push(listener);
    this.#engine.onStep(listener);
  }

  stats(): ReturnType<EnginePort['stats']> {
    return this.#engine.stats();
  }

  /** Drops what waits for a translation: the engine is lost, and its owner has ended all requests. */
  forget(): void {
    for (const { request, given } of [...this.#translating.values()]) this.#leave(request, given);
  }

  /** @returns false where it has left already */
  #leave(request: EngineRequest, given: AbortController): boolean {
    const key = attemptKey(request.requestId, request.epoch);
    if (this.#translating.get(key)?.given !== given) return false;
    this.#translating.delete(key);
    given.abort();
    return true;
  }

  #tell(finished: readonly SequenceFinish[], failed: readonly RequestFailure[]): void {
    const output = { step: 0, seated: [], deltas: [], finished, failed, stats: this.stats() };
    for (const listener of this.#listeners) listener(output);
  }
}
