import { TOOL_TEMPLATE, withToolTemplate } from '../../folder/named-templates.ts';
import type { GgufFile } from '../gguf/gguf-file.ts';
import { MetadataFields } from '../gguf/metadata-fields.ts';
import { ModelImportError } from '../model-import-error.ts';
import { PRE_TOKENIZERS } from './pre-tokenizers.ts';
import { sentencePieceJson } from './sentence-piece.ts';

/** GGUF's `tokenizer.ggml.token_type`. */
const TOKEN_TYPE = { control: 3, userDefined: 4 } as const;

export interface TokenizerFiles {
  readonly tokenizerJson: object;
  readonly tokenizerConfig: object;
  readonly tokenCount: number;
  readonly chatTemplate: string;
  readonly bosTokenId: number | null;
  readonly padTokenId: number | null;
  /** Every token that ends an answer. */
  readonly eosTokenIds: readonly number[];
}

/** Where llama.cpp keeps the template of conversations with tools. */
export const TOOL_TEMPLATE_FIELD = `tokenizer.chat_template.${TOOL_TEMPLATE}`;

const FROM_ELSEWHERE =
  'give --tokenizer with a folder that holds tokenizer.json and tokenizer_config.json of this model';

/**
 * Rebuilds tokenizer.json, tokenizer_config.json and chat_template.jinja from a GGUF's metadata.
 * @throws ModelImportError for kinds of tokenizers that are not known exactly; a guess would give wrong tokens silently
 */
export function tokenizerFiles(file: Pick<GgufFile, 'path' | 'metadata'>, positions: number): TokenizerFiles {
  const fields = new MetadataFields(file.path, file.metadata);
  const tokens = fields.list('tokenizer.ggml.tokens', 'string');
  if (tokens.length === 0) throw fields.refusal('tokenizer.ggml.tokens', 'empty', 'it must list the vocabulary');
  const types = forEachToken(fields, 'tokenizer.ggml.token_type', tokens);
  const added = tokens.flatMap((content, id) => {
    const special = types[id] === TOKEN_TYPE.control;
    return special || types[id] === TOKEN_TYPE.userDefined ? [{ ...addedToken(content, special), id }] : [];
  });
  const id = (name: string) => {
    const field = `tokenizer.ggml.${name}_token_id`;
    if (!fields.has(field)) return null;
    const token = fields.count(field, undefined, 0);
    if (token >= tokens.length) throw fields.refusal(field, token, `the vocabulary has ${tokens.length} tokens`);
    return token;
  };
  const chatTemplate = fields.text('tokenizer.chat_template', '');
  if (chatTemplate === '')
    throw new ModelImportError(
      file.path,
      'it has no chat template (tokenizer.chat_template), as base models have none',
      'take the chat version of the model, or give --chat-template with a Jinja file',
    );
  const [bos, eos, pad, unknown] = [id('bos'), id('eos'), id('padding'), id('unknown')];
  const named = Object.entries({ bos, eos, pad, unk: unknown }).flatMap(([name, token]) => {
    const content = token === null ? undefined : tokens[token];
    return content === undefined ? [] : [[`${name}_token`, content]];
  });
  return {
    tokenizerJson: {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: added.map(({ id: tokenId, ...token }) => ({ id: tokenId, ...token })),
      ...tokenizerParts(file.path, fields, tokens),
    },
    tokenizerConfig: {
      tokenizer_class: 'PreTrainedTokenizerFast',
      add_bos_token: fields.flag('tokenizer.ggml.add_bos_token', false),
      added_tokens_decoder: Object.fromEntries(added.map(({ id: tokenId, ...token }) => [tokenId, token])),
      ...Object.fromEntries(named),
      clean_up_tokenization_spaces: false,
      model_max_length: positions,
    },
    tokenCount: tokens.length,
    chatTemplate: withToolTemplate(chatTemplate, fields.text(TOOL_TEMPLATE_FIELD, '')),
    bosTokenId: bos,
    padTokenId: pad,
    eosTokenIds: [...new Set([eos, id('eot'), id('eom')].filter((token) => token !== null))],
  };
}

function tokenizerParts(path: string, fields: MetadataFields, tokens: readonly string[]): object {
  const model = fields.text('tokenizer.ggml.model');
  if (model === 'llama') {
    const scores = forEachToken(fields, 'tokenizer.ggml.scores', tokens);
    const spaceFirst = fields.flag('tokenizer.ggml.add_space_prefix', true);
    const unknown = fields.count('tokenizer.ggml.unknown_token_id', 0, 0);
    return sentencePieceJson(tokens, scores, { spaceFirst, unknown: tokens[unknown] ?? '<unk>' });
  }
  if (model !== 'gpt2')
    throw new ModelImportError(
      path,
      `its tokenizer.ggml.model is ${model}, supported are gpt2 (byte-level BPE) and llama (SentencePiece BPE)`,
      FROM_ELSEWHERE,
    );
  const name = fields.text('tokenizer.ggml.pre', 'default');
  const pre = PRE_TOKENIZERS.get(name);
  if (pre === undefined)
    throw new ModelImportError(
      path,
      `its tokenizer.ggml.pre is ${name}, known are ${[...PRE_TOKENIZERS.keys()].join(', ')}`,
      FROM_ELSEWHERE,
    );
  return {
    normalizer: pre.normalizer,
    pre_tokenizer: pre.preTokenizer,
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: pre.ignoreMerges,
      vocab: Object.fromEntries(tokens.map((token, index) => [token, index])),
      merges: merges(fields, new Set(tokens)),
    },
  };
}

/** Pairs of pieces, written "a b": pieces hold no space themselves, theirs is written Ġ. */
function merges(fields: MetadataFields, tokens: ReadonlySet<string>): string[][] {
  const field = 'tokenizer.ggml.merges';
  return fields.list(field, 'string').map((merge, index) => {
    const pieces = merge.split(' ');
    if (pieces.length !== 2 || !pieces.every((piece) => tokens.has(piece)) || !tokens.has(pieces.join('')))
      throw fields.refusal(
        `${field}[${index}]`,
        JSON.stringify(merge),
        'which is no pair of tokens that makes a token',
      );
    return pieces;
  });
}

/** A list with one number for each token. */
function forEachToken(fields: MetadataFields, name: string, tokens: readonly string[]): number[] {
  const values = fields.list(name, 'number');
  if (values.length === tokens.length) return values;
  throw fields.refusal(name, `a list of ${values.length}`, `the vocabulary has ${tokens.length} tokens`);
}

function addedToken(content: string, special: boolean) {
  return { content, single_word: false, lstrip: false, rstrip: false, normalized: false, special };
}
