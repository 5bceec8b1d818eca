import type { ModelCard, TokenTable } from '#contracts';
import { outputFormatOf } from '../prompt/prompt-traits.ts';
import { tokenTableFromTokenizerJson } from '../tokenizer/token-table.ts';
import { generic } from './formats/generic.ts';
import { markerTokens } from './marker-tokens.ts';

/**
 * The token table by which a model's answers become text: control tokens that are marks of its format have bytes, so that
 * calls and reasoning can be found. Workers and whoever checks constraints for them must use the same.
 * @throws UnsupportedTokenizerError
 */
export function answerTokenTable(
  card: Pick<ModelCard, 'tokenizerJson' | 'vocabularySize' | 'chatTemplate' | 'outputFormat'>,
): TokenTable {
  const isMark = markerTokens(outputFormatOf(card));
  const isGenericMark = markerTokens(generic);
  return tokenTableFromTokenizerJson(
    card.tokenizerJson,
    card.vocabularySize,
    (content) => isMark(content) || isGenericMark(content),
  );
}
