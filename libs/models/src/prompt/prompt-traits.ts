import type { ModelCard } from '#contracts';
import { chooseOutputFormat, OUTPUT_FORMATS } from '../output-formats/choose-format.ts';
import { generic } from '../output-formats/formats/generic.ts';
import { withLooseCalls } from '../output-formats/loose-hermes.ts';
import type { OutputFormat } from '../output-formats/output-format.ts';
import { PROBE_QUESTION } from './check-template.ts';
import type { PromptRenderer } from './prompt-renderer.ts';
import { TemplateError } from './template-error.ts';
import type { ToolSupport } from './tool-conversation.ts';

/** Boolean variables by which the templates of different families turn reasoning on and off. */
const SWITCHES = ['enable_thinking', 'thinking'] as const;
const EFFORT_VARIABLE = 'reasoning_effort';
/** The efforts that models with an effort of their own were made for. */
const OWN_EFFORTS = ['none', 'low', 'medium', 'high'] as const;

/** What a request has to know of a model's template and of what the model writes. Plain data. */
export interface PromptTraits {
  /** What the template itself does with tools; `none` gets the generic prompt and form. */
  readonly tools: ToolSupport;
  /** Null for a model that does not reason. */
  readonly reasoning: ReasoningTraits | null;
  /** The names that the template reads and a caller may set. */
  readonly variables: readonly string[];
}

export interface ReasoningTraits {
  /** The template's boolean variable that turns reasoning on and off; null when it has none. */
  readonly switch: string | null;
  /** The efforts that the template writes into the prompt by name (`reasoning_effort`); empty when it knows none. */
  readonly efforts: readonly string[];
  /** Marks of a reasoning block; null where reasoning has no block of its own (gpt-oss). */
  readonly block: { readonly open: string; readonly close: string } | null;
}

/** The format of a card's model: as configured, else as its chat template tells. */
export function outputFormatOf(card: Pick<ModelCard, 'chatTemplate' | 'outputFormat'>): OutputFormat {
  const configured = card.outputFormat === undefined ? undefined : OUTPUT_FORMATS.get(card.outputFormat);
  return configured ?? chooseOutputFormat(card.chatTemplate);
}

/**
 * The format by which a model's answers are read. A template that shows no tools has them taught by the generic prompt,
 * so calls come in its form, whatever the family's is; reasoning stays the family's.
 */
export function answerFormatOf(
  card: Pick<ModelCard, 'chatTemplate' | 'outputFormat'>,
  traits: Pick<PromptTraits, 'tools'>,
): OutputFormat {
  const family = outputFormatOf(card);
  if (traits.tools !== 'none' || family.readOutput) return family;
  const { reasoning, dropped } = family;
  return { ...generic, reasoning, dropped };
}

/**
 * The format by which answers are read that nothing holds to a form: calls may be loosely written, and a model whose family has a
 * form of calls may fall back to it, though the generic prompt taught it another.
 */
export function freeAnswerFormatOf(
  card: Pick<ModelCard, 'chatTemplate' | 'outputFormat'>,
  traits: Pick<PromptTraits, 'tools'>,
): OutputFormat {
  const [family, taught] = [outputFormatOf(card), withLooseCalls(answerFormatOf(card, traits))];
  if (taught.name === family.name) return taught;
  return {
    ...taught,
    openings: [...taught.openings, ...family.openings],
    surroundings: [...taught.surroundings, ...family.surroundings],
    readCalls: (reading) => (taught.openings.includes(reading.opening) ? taught : family).readCalls(reading),
  };
}

/** Finds out by small renderings what a card's template does with tools and reasoning. */
export function promptTraits(
  card: Pick<ModelCard, 'chatTemplate' | 'outputFormat'>,
  renderer: PromptRenderer,
): PromptTraits {
  const { variables } = renderer;
  return { tools: renderer.toolSupport, reasoning: reasoningTraits(card, renderer), variables };
}

function reasoningTraits(
  card: Pick<ModelCard, 'chatTemplate' | 'outputFormat'>,
  renderer: PromptRenderer,
): ReasoningTraits | null {
  const format = outputFormatOf(card);
  const { reasoning } = format;
  const rendered = (variables: Record<string, unknown>): string | null => {
    try {
      const options = { templateVariables: variables };
      return renderer.renderParts([{ role: 'user', content: PROBE_QUESTION }], options).text;
    } catch (error) {
      if (error instanceof TemplateError) return null;
      throw error;
    }
  };
  const known = SWITCHES.filter((name) => renderer.variables.includes(name));
  const found = known.find((name) => rendered({ [name]: true }) !== rendered({ [name]: false }));
  // Cogito's template has a switch, and none of the marks that its model writes.
  const marked =
    reasoning &&
    (reasoning.isBuilt ||
      found !== undefined ||
      [reasoning.open, reasoning.close].some((mark) => card.chatTemplate.includes(mark)));
  if (!marked && format.name !== 'gpt-oss') return null;
  const low = rendered({ [EFFORT_VARIABLE]: 'low' });
  const takesEffort = low !== null && low !== rendered({ [EFFORT_VARIABLE]: 'high' });
  const neutral = rendered({});
  const efforts = OWN_EFFORTS.filter((effort) => {
    const text = rendered({ [EFFORT_VARIABLE]: effort });
    // A template that writes any word it is given would also write "none", which no model was made for.
    return text !== null && (effort !== 'none' || (text !== neutral && !text.includes('none')));
  });
  return {
    switch: found ?? null,
    efforts: takesEffort ? efforts : [],
    block: marked && reasoning ? { open: reasoning.open, close: reasoning.close } : null,
  };
}
