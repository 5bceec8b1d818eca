import { choice, type Expression, loop, sequence } from '../grammar-rules.ts';

/** How the texts of a part begin, the empty one left out. */
export interface Beginnings {
  /** Texts that begin with none of the group's rules. */
  readonly seeds: Expression[];
  /** Texts that begin with one of them, and what follows it. */
  readonly steps: { readonly rule: string; readonly rest: Expression }[];
}

/** The beginnings with the same behind each of them, which stands there as few times as it can. */
export function followedBy({ seeds, steps }: Beginnings, rest: Expression): Beginnings {
  if (rest.kind === 'text' && rest.text === '') return { seeds, steps };
  const rules = [...new Set(steps.map(({ rule }) => rule))];
  return {
    seeds: seeds.length === 0 ? [] : [sequence(choice(...seeds), rest)],
    steps: rules.map((rule) => {
      const rests = steps.filter((step) => step.rule === rule).map((step) => step.rest);
      return { rule, rest: sequence(choice(...rests), rest) };
    }),
  };
}

/**
 * The texts, but the empty one, of a rule that can begin with itself, made of how the rules of its group begin: something that begins with none of
 * them, as a text of some B in it; then what makes of a text that begins with B one of the rule, step by step.
 * @param later makes a rule that is defined when all that refers to it is written
 * @param onWritten is told of what is written once more
 */
export function leftCorners(
  name: string,
  beginnings: readonly (Beginnings & { readonly rule: string })[],
  later: (define: () => Expression) => Expression,
  onWritten: (expression: Expression) => void,
): Expression {
  const tails = new Map<string, Expression>();
  /** What makes of a text of `rule` the first one of `name` that begins with it. */
  const tailOf = (rule: string): Expression => {
    const known = tails.get(rule);
    if (known !== undefined) return known;
    const made = later(() =>
      choice(
        ...beginnings.flatMap((whole) =>
          whole.steps
            .filter((step) => step.rule === rule)
            .map(({ rest }) => {
              onWritten(rest);
              return whole.rule === name ? rest : sequence(rest, tailOf(whole.rule));
            }),
        ),
      ),
    );
    tails.set(rule, made);
    return made;
  };
  const starts = beginnings
    .filter(({ seeds }) => seeds.length > 0)
    .map(({ rule, seeds }) => {
      for (const seed of seeds) onWritten(seed);
      return rule === name ? choice(...seeds) : sequence(choice(...seeds), tailOf(rule));
    });
  return sequence(choice(...starts), loop(tailOf(name)));
}
