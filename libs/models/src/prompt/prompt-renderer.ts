import type { ModelCard, TokenTable } from '#contracts';
import { TextTokenizer } from '../tokenizer/text-tokenizer.ts';
import { tokenTableFromTokenizerJson } from '../tokenizer/token-table.ts';
import type { ChatMessage, ChatTool } from './chat-message.ts';
import { ChatTemplate, type RenderedTemplate } from './chat-template.ts';
import { checkTemplate } from './check-template.ts';
import { CONTENT_FORMS, type ContentForm, withContents } from './content-form.ts';
import { ContinuedMessage } from './continued-message.ts';
import { stripped } from './jinja/jinja-methods.ts';
import type { ProbeRender } from './probe-tools.ts';
import { TemplateError } from './template-error.ts';
import { checkMessages, scanValue } from './template-input.ts';
import { withThinking } from './thinking-field.ts';
import type { ToolSupport } from './tool-conversation.ts';
import { ToolInput } from './tool-input.ts';

export interface RenderOptions {
  /** Ends the prompt with the opening of an assistant turn. Default true. */
  readonly addGenerationPrompt?: boolean;
  /** Ends the prompt in the last message, behind its text, for an answer that goes on with it; no turn is opened then. */
  readonly continueFinalMessage?: boolean;
  /** Further names that the template can read (`enable_thinking`); they cannot replace `messages` or the model's tokens. */
  readonly templateVariables?: Readonly<Record<string, unknown>>;
  /** What the model may call; a template that knows no tools gets them as a section of the system message. */
  readonly tools?: readonly ChatTool[];
}

export interface RenderedPrompt {
  readonly text: string;
  /** [promptTokens] */
  readonly tokenIds: Int32Array;
}

export interface PromptRendererOptions
  extends Pick<ModelCard, 'tokenizerJson' | 'chatTemplate' | 'templateTokens' | 'vocabularySize'> {
  /** What `strftime_now` reads. Default: the system's clock. */
  readonly now?: () => Date;
}

/**
 * Turns a conversation into a model's prompt, in text and tokens, as Hugging Face's `apply_chat_template` does; but
 * text that looks like a control token stays text unless the chat template itself wrote it.
 */
export class PromptRenderer {
  readonly #options: PromptRendererOptions;
  readonly #tokenizer: TextTokenizer;
  readonly #template: ChatTemplate;
  #tokenTable: TokenTable | null = null;
  readonly #toolInput: ToolInput;
  /** What a template is given for the tools of a request without any. */
  #noTools: readonly unknown[] | null = null;
  #contentForm: ContentForm = 'text';

  /**
   * Reads the tokenizer (0.1 to 0.5 s for 150,000 tokens) and tries the template on small conversations.
   * @throws UnsupportedTokenizerError, UnsupportedTemplateError
   */
  static fromCard(card: PromptRendererOptions): PromptRenderer {
    return new PromptRenderer(card);
  }

  private constructor(options: PromptRendererOptions) {
    this.#options = options;
    this.#tokenizer = new TextTokenizer(options.tokenizerJson);
    this.#template = new ChatTemplate({
      source: options.chatTemplate,
      templateTokens: options.templateTokens,
      controlTokens: this.#tokenizer.controlTokens,
    });
    const render: ProbeRender = (messages, tools) => this.#renderValues(messages, tools, {}, null).text;
    this.#toolInput = new ToolInput(render, options.chatTemplate);
    this.#findInput();
  }

  /** Tries the template with what templates take, and keeps the first that it works with. @throws UnsupportedTemplateError, that of the first try */
  #findInput(): void {
    // Templates that were made for requests with tools alone take an empty list of them, but not none.
    const listsOfNone = /\bin tools\b/.test(this.#options.chatTemplate) ? [null, []] : [null];
    const inputs = CONTENT_FORMS.flatMap((form) => listsOfNone.map((noTools) => ({ form, noTools })));
    let refusal: unknown;
    for (const { form, noTools } of inputs) {
      this.#contentForm = form;
      this.#noTools = noTools;
      try {
        checkTemplate(
          (messages, addGenerationPrompt) => this.renderParts(messages, { addGenerationPrompt }).text,
          form,
        );
        return;
      } catch (error) {
        refusal ??= error;
      }
    }
    throw refusal;
  }

  /** @throws TemplateError (invalid_request) when the template or the tokenizer refuses the conversation */
  render(messages: readonly ChatMessage[], options: RenderOptions = {}): RenderedPrompt {
    const { text, parts } = this.renderParts(messages, options);
    const tokenIds: number[] = [];
    for (const part of parts) {
      if ('token' in part) {
        tokenIds.push(part.token.id);
      } else {
        this.#tokenizer.encodeInto(tokenIds, part.text, part.atStart);
      }
    }
    return { text, tokenIds: this.#checkedIds(tokenIds) };
  }

  /** The rendered conversation as texts and control tokens, before the texts are tokenized. @throws TemplateError */
  renderParts(messages: readonly ChatMessage[], options: RenderOptions = {}): RenderedTemplate {
    const { tools = [] } = options;
    checkMessages(messages);
    const continued = options.continueFinalMessage ? new ContinuedMessage(messages) : null;
    const given = continued?.messages ?? messages;
    if (tools.length === 0 && !messages.some((message) => message.tool_calls || message.role === 'tool')) {
      return this.#renderValues(given, null, options, continued);
    }
    // Checked before anything is made of them, so that errors name the fields that the caller sent.
    scanValue(messages, 'messages', new Set());
    scanValue(tools, 'tools', new Set());
    const shaped = this.#toolInput.of(given, tools);
    return this.#renderValues(shaped.messages, shaped.tools, options, continued);
  }

  /** Names that the template reads and `templateVariables` may set. */
  get variables(): readonly string[] {
    return this.#template.variables;
  }

  /** What the template knows of tools; found out when first asked. */
  get toolSupport(): ToolSupport {
    return this.#toolInput.support;
  }

  #renderValues(
    messages: readonly unknown[],
    tools: readonly unknown[] | null,
    options: RenderOptions,
    continued: ContinuedMessage | null,
  ): RenderedTemplate {
    const { addGenerationPrompt = continued === null, templateVariables = {} } = options;
    const privateUse = new Set<string>();
    scanValue(messages, 'messages', privateUse);
    scanValue(tools, 'tools', privateUse);
    scanValue(templateVariables, 'templateVariables', privateUse);
    const variables = {
      documents: null, // Hugging Face always passes this and `tools`, and templates ask `tools is not none`.
      ...templateVariables,
      tools: tools ?? templateVariables.tools ?? this.#noTools,
      messages: withThinking(withContents(messages, this.#contentForm)),
      add_generation_prompt: addGenerationPrompt,
    };
    const now = this.#options.now?.() ?? new Date();
    return this.#template.render(variables, privateUse, now, (written) => continued?.cut(written) ?? written);
  }

  /**
   * Tokens of plain text; nothing in it becomes a control token.
   * @throws TemplateError for text with unpaired surrogates
   */
  encode(text: string): Int32Array {
    scanValue(text, 'text', new Set());
    const tokenIds: number[] = [];
    this.#tokenizer.encodeInto(tokenIds, text, true);
    return this.#checkedIds(tokenIds);
  }

  /**
   * The tokens of a word as it may stand in an answer: behind a blank, within a word, and as the answer's first; each way once.
   * @throws TemplateError for text with unpaired surrogates
   */
  spellingsOf(word: string): readonly (readonly number[])[] {
    scanValue(word, 'text', new Set());
    const bare = stripped(word, null, true, false);
    const spellings = new Map<string, readonly number[]>();
    for (const [text, atStart] of [[` ${bare}`, false] as const, [bare, false] as const, [bare, true] as const]) {
      const tokenIds: number[] = [];
      this.#tokenizer.encodeInto(tokenIds, text, atStart);
      if (tokenIds.length > 0) spellings.set(tokenIds.join(), Array.from(this.#checkedIds(tokenIds)));
    }
    return [...spellings.values()];
  }

  get tokenTable(): TokenTable {
    this.#tokenTable ??= tokenTableFromTokenizerJson(this.#options.tokenizerJson, this.#options.vocabularySize);
    return this.#tokenTable;
  }

  #checkedIds(tokenIds: readonly number[]): Int32Array {
    const { vocabularySize } = this.#options;
    const outside = tokenIds.find((id) => id >= vocabularySize);
    if (outside !== undefined) {
      throw new TemplateError(
        `messages: token ${outside} is not in the model's vocabulary of ${vocabularySize}. Remedy: the model folder's ` +
          'tokenizer.json and config.json belong to different models.',
      );
    }
    return Int32Array.from(tokenIds);
  }
}
