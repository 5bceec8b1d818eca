import { z } from 'zod';
import { MillraceError } from '#contracts';
import { harmlessOnly } from '../../body/harmless-only.ts';
import type { ValidGenerateRequest } from '../../generate/valid-generate-request.ts';
import { type ResponseFormat, responseConstraint, SCHEMA_FIELD } from './response-format.ts';

const MAX_PATTERN_CHARACTERS = 512;
const MAX_TEXTS = 512;
const MAX_TEXT_CHARACTERS = 512;
const MAX_GRAMMAR_CHARACTERS = 131_072;
const NO_TAGS = 'Send a JSON schema, a pattern ("regex"), a list of texts ("choice") or a grammar ("grammar").';

const json = z.union([z.string(), z.record(z.string(), z.unknown())]);
const regex = z.string().min(1).max(MAX_PATTERN_CHARACTERS);
const grammar = z.string().max(MAX_GRAMMAR_CHARACTERS);
const choice = z.array(z.string().min(1).max(MAX_TEXT_CHARACTERS)).min(1).max(MAX_TEXTS);

/** What an answer must be, as clients of vLLM, llama.cpp and SGLang say it. */
export const ANSWER_FORM_FIELDS = {
  guided_json: json
    .nullish()
    .describe('Extension. A JSON schema, or its text: the same as `response_format` with the type `json_schema`.'),
  guided_regex: regex.nullish().describe('Extension. A pattern (ECMAScript) that matches the whole answer.'),
  guided_choice: choice.nullish().describe('Extension. The answer is one of these texts.'),
  guided_grammar: grammar
    .nullish()
    .describe(
      'Extension. A context-free grammar, as GBNF (`root ::= …`) or in Lark’s notation (`start: …`), that derives the whole answer.',
    ),
  grammar: grammar.nullish().describe('Extension. The same as `guided_grammar`.'),
  ebnf: grammar.nullish().describe('Extension. The same as `guided_grammar`.'),
  regex: z.string().max(MAX_PATTERN_CHARACTERS).nullish().describe('Extension. The same as `guided_regex`.'),
  json_schema: json.nullish().describe('Extension. The same as `guided_json`.'),
  structured_outputs: z
    .strictObject({
      json: json.nullish(),
      json_object: z.boolean().nullish(),
      regex: regex.nullish(),
      choice: choice.nullish(),
      grammar: grammar.nullish(),
      structural_tag: harmlessOnly(z.never(), NO_TAGS),
      disable_fallback: z.boolean().nullish().describe('Changes nothing: nothing else is fallen back to.'),
    })
    .nullish()
    .describe(
      'Extension. What `guided_json`, `guided_regex`, `guided_choice` and `guided_grammar` say, by shorter names.',
    ),
};

type AnswerForm = Pick<ValidGenerateRequest, 'constraint' | 'constraintField'>;
type Constraint = NonNullable<AnswerForm['constraint']>;
type Json = z.infer<typeof json>;

interface AnswerFormBody {
  readonly response_format?: ResponseFormat | null;
  readonly guided_json?: Json | null;
  readonly guided_regex?: string | null;
  readonly guided_choice?: readonly string[] | null;
  readonly guided_grammar?: string | null;
  readonly grammar?: string | null;
  readonly ebnf?: string | null;
  readonly regex?: string | null;
  readonly json_schema?: Json | null;
  readonly structured_outputs?: {
    readonly json?: Json | null;
    readonly json_object?: boolean | null;
    readonly regex?: string | null;
    readonly choice?: readonly string[] | null;
    readonly grammar?: string | null;
  } | null;
}

/**
 * What the answer must be, and the field that says it.
 * @throws MillraceError invalid_request where two fields say it, or a schema is no JSON
 */
export function answerFormOf(body: AnswerFormBody): AnswerForm {
  const { response_format: format, structured_outputs: outputs } = body;
  const forms = [
    formOf(SCHEMA_FIELD, format, responseConstraint),
    formOf('guided_json', body.guided_json, schemaOf),
    formOf('guided_regex', body.guided_regex, patternOf),
    formOf('guided_choice', body.guided_choice, choiceOf),
    formOf('guided_grammar', body.guided_grammar, grammarOf),
    formOf('grammar', body.grammar, grammarOf),
    formOf('ebnf', body.ebnf, grammarOf),
    formOf('regex', body.regex || null, patternOf),
    formOf('json_schema', body.json_schema, schemaOf),
    formOf('structured_outputs.json', outputs?.json, schemaOf),
    formOf('structured_outputs.json_object', outputs?.json_object, (wanted) =>
      wanted ? { type: 'json_object' } : null,
    ),
    formOf('structured_outputs.regex', outputs?.regex, patternOf),
    formOf('structured_outputs.choice', outputs?.choice, choiceOf),
    formOf('structured_outputs.grammar', outputs?.grammar, grammarOf),
  ].filter((form) => form !== null);
  const [form, other] = forms;
  if (form === undefined) return { constraint: null, constraintField: null };
  if (other === undefined) return form;
  const first = form.constraintField === SCHEMA_FIELD ? 'response_format' : form.constraintField;
  throw new MillraceError(
    'invalid_request',
    `${first} and ${other.constraintField} both say what the answer must be. Send one of them.`,
    { param: other.constraintField },
  );
}

function formOf<Value>(
  constraintField: string,
  value: Value | null | undefined,
  constraintOf: (value: Value, field: string) => Constraint | null,
): { readonly constraint: Constraint; readonly constraintField: string } | null {
  if (value === null || value === undefined) return null;
  const constraint = constraintOf(value, constraintField);
  return constraint === null ? null : { constraint, constraintField };
}

function schemaOf(given: Json, field: string): Constraint {
  return { type: 'json_schema', schema: typeof given === 'string' ? parsed(given, field) : given, strict: false };
}

function patternOf(pattern: string): Constraint {
  return { type: 'pattern', pattern };
}

function choiceOf(texts: readonly string[]): Constraint {
  return { type: 'choice', texts: [...texts] };
}

/** An empty one asks for nothing, as llama.cpp's clients write it. */
function grammarOf(written: string): Constraint | null {
  return written === '' ? null : { type: 'grammar', grammar: written };
}

/** @throws MillraceError invalid_request for what is no text of a JSON object */
function parsed(text: string, field: string): Record<string, unknown> {
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(text));
  } catch (error) {
    const message = `${field} is ${JSON.stringify(text.slice(0, 80))}, which is no JSON object. Send a JSON schema.`;
    throw new MillraceError('invalid_request', message, { param: field, cause: error });
  }
}
