/**
 * A model's folder, its tokenizer and its chat template; grammars have an entry of their own, `#models/grammar`.
 *
 * @module
 * @example
 * import { openModelFolder, PromptRenderer } from '#models';
 * const folder = await openModelFolder('models/smollm2-135m-instruct'); // ModelFolderError lists every problem
 * const card = folder.card({ model: folder.name, contextLength: 2048 });
 * const renderer = PromptRenderer.fromCard(card);
 * const { tokenIds } = renderer.render([{ role: 'user', content: 'Hello' }]); // TemplateError for a refused conversation
 */
export type { ModelConfig } from './folder/model-config.ts';
export { type CardOptions, ModelFolder, openModelFolder } from './folder/model-folder.ts';
export { ModelFolderError, type ModelFolderProblem } from './folder/model-folder-error.ts';
export { resolveModelFolder } from './folder/resolve-model-folder.ts';
export { type ImportedModel, type ImportOptions, type ImportProgress, importGguf } from './import/import-gguf.ts';
export { ModelImportError } from './import/model-import-error.ts';
export { LAYOUTS, type Layout } from './import/weights/choose-product.ts';
export { answerTokenTable } from './output-formats/answer-token-table.ts';
export { callIds } from './output-formats/call-ids.ts';
export { chooseOutputFormat, OUTPUT_FORMATS } from './output-formats/choose-format.ts';
export { ContinuedOutput, type OutputStanding, standingBehind } from './output-formats/continued-output.ts';
export { genericToolPrompt } from './output-formats/generic-tool-prompt.ts';
export { markerTokens } from './output-formats/marker-tokens.ts';
export { joinEvents, type OutputEvent, type ParsedCall, type ParsedOutput } from './output-formats/output-event.ts';
export type { OutputFormat } from './output-formats/output-format.ts';
export { OutputParser, type OutputParserOptions, reasoningStart } from './output-formats/output-parser.ts';
export {
  ANY_TOOL,
  type CallableTool,
  type ToolDefinition,
  type ToolSet,
  toolSetOf,
} from './output-formats/tool-set.ts';

export { type BegunAnswer, begunAnswer } from './prompt/begun-answer.ts';
export { CHAT_ROLES, type ChatMessage, type ChatTool, type ChatToolCall } from './prompt/chat-message.ts';
export {
  PromptRenderer,
  type PromptRendererOptions,
  type RenderedPrompt,
  type RenderOptions,
} from './prompt/prompt-renderer.ts';
export {
  answerFormatOf,
  freeAnswerFormatOf,
  outputFormatOf,
  type PromptTraits,
  promptTraits,
  type ReasoningTraits,
} from './prompt/prompt-traits.ts';
export { TemplateError } from './prompt/template-error.ts';
export type { ToolSupport } from './prompt/tool-conversation.ts';
export { UnsupportedTemplateError } from './prompt/unsupported-template-error.ts';
export { HubError } from './pull/hub-error.ts';
export { type PulledModel, type PullOptions, type PullProgress, pullModel } from './pull/pull-model.ts';
export { tokenTableFromTokenizerJson } from './tokenizer/token-table.ts';
export { UnsupportedTokenizerError } from './tokenizer/unsupported-tokenizer-error.ts';
