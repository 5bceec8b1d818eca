import type { OutputConstraint } from '#contracts';
import type { TokenConstraint, TokenConstraints } from '../constraints/token-constraint.ts';

/** Constraints for tests: a list of the tokens allowed at each position, then the stop tokens. */
export class ScriptedConstraints implements TokenConstraints {
  readonly #script: readonly (readonly number[])[];
  readonly #words: number;
  /** How often a mask has to be prepared before it is whole. */
  preparations = 0;
  /** How long a mask has to be prepared before it is whole, in ms. */
  prepareForMs = 0;
  /** Position at which it gives up; −1 for none. */
  failAt = -1;
  made = 0;
  disposed = 0;
  /** What each was given of a translation made elsewhere. */
  readonly translated: (Int32Array | null)[] = [];

  /** @param script which tokens are allowed at each position of an answer */
  constructor(vocabularySize: number, script: readonly (readonly number[])[]) {
    this.#script = script;
    this.#words = Math.ceil(vocabularySize / 32);
  }

  create(
    _constraint: OutputConstraint,
    stopTokenIds: readonly number[],
    translated: Int32Array | null = null,
  ): TokenConstraint {
    this.made += 1;
    this.translated.push(translated);
    const [script, words] = [this.#script, this.#words];
    let position = 0;
    let prepared = 0;
    let preparedMs = 0;
    return {
      prepare: (untilMs) => {
        if (position === this.failAt) throw new Error('too much work');
        const beginMs = performance.now();
        const untilWholeMs = beginMs + this.prepareForMs - preparedMs;
        while (performance.now() < Math.min(untilMs, untilWholeMs));
        preparedMs += performance.now() - beginMs;
        return prepared++ >= this.preparations && preparedMs >= this.prepareForMs;
      },
      allowedTokens: () => {
        if (position === this.failAt) throw new Error('too much work');
        const allowed = new Int32Array(words);
        for (const token of script[position] ?? stopTokenIds) allowed[token >>> 5] |= 1 << (token & 31);
        return allowed;
      },
      accept: (token) => {
        const fits = script[position]?.includes(token) ?? false;
        position += 1;
        prepared = 0;
        preparedMs = 0;
        return fits;
      },
      expectedTokens: (most) => {
        const chosen = script.findIndex((tokens, at) => at >= position && tokens.length !== 1);
        return script
          .slice(position, chosen < 0 ? undefined : chosen)
          .flat()
          .slice(0, most);
      },
      get ended() {
        return position >= script.length && stopTokenIds.length === 0;
      },
      [Symbol.dispose]: () => {
        this.disposed += 1;
      },
    };
  }
}
