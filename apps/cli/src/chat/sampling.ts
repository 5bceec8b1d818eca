import { InvalidArgumentError } from 'commander';
import { ChatError } from './chat-error.ts';

/** Fields of a request that say how to sample; what is not there is as the model's makers recommend. */
export type Sampling = Readonly<Record<string, number | string | readonly string[]>>;

interface SamplingField {
  /** As in a request. */
  readonly field: string;
  readonly value: 'number' | 'text' | 'texts';
  readonly means: string;
}

/** The API knows which values each of them may have, and says so. */
export const SAMPLING_FIELDS: readonly SamplingField[] = [
  { field: 'temperature', value: 'number', means: '0 always takes the most likely token' },
  { field: 'top_p', value: 'number', means: 'keeps the most likely tokens that add up to this mass' },
  { field: 'top_k', value: 'number', means: 'keeps so many of the most likely tokens' },
  { field: 'min_p', value: 'number', means: 'drops tokens less likely than this part of the most likely one' },
  { field: 'repetition_penalty', value: 'number', means: 'above 1 for less repetition' },
  { field: 'presence_penalty', value: 'number', means: 'off what was said at all' },
  { field: 'frequency_penalty', value: 'number', means: 'off what was said, for each time' },
  { field: 'max_tokens', value: 'number', means: 'most tokens of an answer; what the context leaves when left out' },
  { field: 'seed', value: 'number', means: 'the same seed and conversation give the same answer' },
  { field: 'stop', value: 'texts', means: 'ends an answer; may be given up to four times' },
  { field: 'reasoning_effort', value: 'text', means: 'how much a model thinks that does: low, medium, high, …' },
];

/** A field as people name it: `top-p`. */
export const nameOf = ({ field }: SamplingField) => field.replaceAll('_', '-');

/** For commander, once for each time the flag is given. */
export function samplingFlag({ value }: SamplingField) {
  return (text: string, before: unknown): number | string | string[] => {
    const read = readValue(text, value);
    if (read === null) throw new InvalidArgumentError(`${text} is no number.`);
    return value === 'texts' ? [...(Array.isArray(before) ? before : []), text] : read;
  };
}

/** Of a command's flags, as commander names them, those that say how to sample. */
export function samplingOf(flags: Readonly<Record<string, unknown>>): Sampling {
  const given = SAMPLING_FIELDS.map(({ field }) => [
    field,
    flags[field.replace(/_./g, ([, letter = '']) => letter.toUpperCase())],
  ]);
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

/**
 * One more setting, or one less where no value is given.
 * @param setting such as `temperature 0.5`, or `temperature` alone
 * @throws ChatError when there is no such setting, or it has no such values
 */
export function withSetting(sampling: Sampling, setting: string): Sampling {
  const [, name = '', text = ''] = /^(\S+)\s*(.*)$/s.exec(setting) ?? [];
  const found = SAMPLING_FIELDS.find(({ field }) => field === name.replaceAll('-', '_'));
  if (found === undefined) {
    const names = SAMPLING_FIELDS.map(nameOf).join(', ');
    throw new ChatError('unknown_setting', `There is no setting "${name}". There are: ${names}.`);
  }
  if (text === '') return Object.fromEntries(Object.entries(sampling).filter(([field]) => field !== found.field));
  const value = readValue(text, found.value);
  if (value === null) throw new ChatError('invalid_setting', `${nameOf(found)} is a number; "${text}" is none.`);
  return { ...sampling, [found.field]: found.value === 'texts' ? [text] : value };
}

function readValue(text: string, kind: SamplingField['value']): number | string | null {
  if (kind !== 'number') return text;
  const number = text.trim() === '' ? Number.NaN : Number(text);
  return Number.isFinite(number) ? number : null;
}
