import type { TokenTable } from '#contracts';
import { addedTokens } from './added-token.ts';
import { BYTE_OF_CHARACTER } from './byte-level-alphabet.ts';
import { parseTokenizerJson, type TokenizerJson, tokenizerSteps, vocabularyEntries } from './tokenizer-json.ts';
import { UnsupportedTokenizerError } from './unsupported-tokenizer-error.ts';

const UTF8 = new TextEncoder();
const BYTE_PIECE = /^<0x([0-9A-Fa-f]{2})>$/;

/**
 * The bytes of every token, so that joining the bytes of `encode(text)` gives the UTF-8 of the (normalized) text.
 * Control tokens and ids without a piece (a model's embedding is often padded) have no bytes.
 * @param vocabularySize of the model, in tokens; ids of the tokenizer beyond it cannot be generated and are left out
 * @param isVisible control tokens that have bytes all the same, by their content; see `markerTokens` for output formats
 * @throws UnsupportedTokenizerError for WordPiece and for decoders whose text depends on neighbouring tokens
 */
export function tokenTableFromTokenizerJson(
  json: string,
  vocabularySize: number,
  isVisible: (content: string) => boolean = () => false,
): TokenTable {
  const tokenizer = parseTokenizerJson(json);
  const bytesOf = pieceDecoder(tokenizer);
  const pieces: (Uint8Array | undefined)[] = new Array(vocabularySize);
  const special = new Uint8Array(vocabularySize);
  for (const [piece, id] of vocabularyEntries(tokenizer)) {
    if (id < vocabularySize) {
      pieces[id] = bytesOf(piece);
    }
  }
  for (const token of addedTokens(tokenizer)) {
    if (token.id < vocabularySize) {
      const hidden = token.control && !isVisible(token.content);
      pieces[token.id] = hidden ? undefined : addedTokenBytes(token.content, tokenizer);
      special[token.id] = token.control ? 1 : 0;
    }
  }
  return { ...joinPieces(pieces), special, stripLeadingSpace: putsSpaceFirst(tokenizer) };
}

function joinPieces(pieces: readonly (Uint8Array | undefined)[]): Pick<TokenTable, 'bytes' | 'offsets'> {
  const offsets = new Uint32Array(pieces.length + 1);
  let length = 0;
  for (let id = 0; id < pieces.length; id++) {
    length += pieces[id]?.length ?? 0;
    offsets[id + 1] = length;
  }
  const bytes = new Uint8Array(length);
  for (let id = 0; id < pieces.length; id++) {
    const piece = pieces[id];
    if (piece) {
      bytes.set(piece, offsets[id]);
    }
  }
  return { bytes, offsets };
}

function pieceDecoder(tokenizer: TokenizerJson): (piece: string) => Uint8Array {
  const types = new Set(tokenizerSteps(tokenizer.decoder).map((step) => step.type));
  for (const type of ['WordPiece', 'BPEDecoder', 'CTC']) {
    if (types.has(type)) {
      throw new UnsupportedTokenizerError(`its decoder is ${type}`);
    }
  }
  const modelType = tokenizer.model.type ?? 'BPE';
  if (modelType !== 'BPE' && modelType !== 'Unigram') {
    throw new UnsupportedTokenizerError(`its model type is ${modelType}, supported are BPE and Unigram`);
  }
  if (isByteLevel(tokenizer)) {
    return byteLevelBytes;
  }
  if (isSentencePiece(tokenizer)) {
    const byteFallback = types.has('ByteFallback') || tokenizer.model.byte_fallback === true;
    return (piece) => sentencePieceBytes(piece, byteFallback);
  }
  throw new UnsupportedTokenizerError(
    `its decoder (${[...types].join(', ') || 'none'}) is neither byte-level nor SentencePiece`,
  );
}

function isByteLevel(tokenizer: TokenizerJson): boolean {
  return [...tokenizerSteps(tokenizer.decoder), ...tokenizerSteps(tokenizer.pre_tokenizer)].some(
    (step) => step.type === 'ByteLevel',
  );
}

function isSentencePiece(tokenizer: TokenizerJson): boolean {
  return tokenizerSteps(tokenizer.decoder).some((step) => step.type === 'Metaspace' || step.type === 'Replace');
}

function byteLevelBytes(piece: string): Uint8Array {
  const bytes = new Uint8Array(piece.length);
  for (let i = 0; i < piece.length; i++) {
    const byte = BYTE_OF_CHARACTER.get(piece.charAt(i));
    if (byte === undefined) {
      return UTF8.encode(piece); // not of the byte alphabet: the reference decoder takes the piece as it is
    }
    bytes[i] = byte;
  }
  return bytes;
}

function sentencePieceBytes(piece: string, byteFallback: boolean): Uint8Array {
  const byte = byteFallback ? BYTE_PIECE.exec(piece)?.[1] : undefined;
  return byte === undefined ? UTF8.encode(piece.replaceAll('▁', ' ')) : Uint8Array.of(Number.parseInt(byte, 16));
}

function addedTokenBytes(content: string, tokenizer: TokenizerJson): Uint8Array {
  return isByteLevel(tokenizer) ? UTF8.encode(content) : sentencePieceBytes(content, false);
}

/** SentencePiece tokenizers write a space before the first word, and their decoders take it away again. */
function putsSpaceFirst(tokenizer: TokenizerJson): boolean {
  if (isByteLevel(tokenizer)) {
    return false;
  }
  return tokenizerSteps(tokenizer.decoder).some(
    (step) =>
      (step.type === 'Strip' && step.content === ' ' && Number(step.start) > 0) ||
      (step.type === 'Metaspace' && (step.prepend_scheme ?? 'always') !== 'never' && step.add_prefix_space !== false),
  );
}
