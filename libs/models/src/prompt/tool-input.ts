import { chooseOutputFormat } from '../output-formats/choose-format.ts';
import { type CallIdForm, probeCallIds, withCallIds } from './call-id-form.ts';
import type { ChatMessage, ChatTool } from './chat-message.ts';
import { type CallWriter, callWriter, withWrittenCalls } from './earlier-calls.ts';
import {
  type ProbeRender,
  probeCallSupport,
  probeResultRole,
  probeShownCalls,
  probeToolSupport,
} from './probe-tools.ts';
import {
  type ToolSupport,
  withArguments,
  withGenericTools,
  withResultRole,
  withSystemTools,
} from './tool-conversation.ts';

/** What a template is given for a conversation with tools, calls or results; found out by small renderings when first asked. */
export class ToolInput {
  readonly #render: ProbeRender;
  readonly #chatTemplate: string;
  #support: ToolSupport | null = null;
  #callSupport: ToolSupport | null = null;
  #idForm: CallIdForm | null = null;
  #resultRole: string | null = null;
  #writer: CallWriter | null | undefined;

  constructor(render: ProbeRender, chatTemplate: string) {
    this.#render = render;
    this.#chatTemplate = chatTemplate;
  }

  get support(): ToolSupport {
    this.#support ??= probeToolSupport(this.#render);
    return this.#support;
  }

  /** The messages and the tools as the template takes them; tools are null where it is not given any. @throws TemplateError */
  of(messages: readonly ChatMessage[], tools: readonly ChatTool[]) {
    if (this.support === 'none') return { messages: this.#withoutTools(messages, tools), tools: null };
    const write = this.#callWriter;
    const called =
      write === null
        ? withArguments(withCallIds(messages, this.#callIdForm), this.support)
        : withWrittenCalls(messages, write);
    const shaped = withResultRole(called, this.#resultRoleName);
    if (this.support === 'system-message') return { messages: withSystemTools(shaped, tools), tools: null };
    return { messages: shaped, tools: tools.length > 0 ? tools : null };
  }

  /** For a template that shows no tools; some show calls. */
  #withoutTools(messages: readonly ChatMessage[], tools: readonly ChatTool[]): readonly unknown[] {
    if (tools.length > 0) return withGenericTools(messages, tools);
    this.#callSupport ??= probeCallSupport(this.#render);
    return this.#callSupport === 'none'
      ? withGenericTools(messages, tools)
      : withArguments(messages, this.#callSupport);
  }

  get #callIdForm(): CallIdForm {
    this.#idForm ??= probeCallIds((messages) => this.#render(messages, null), this.support);
    return this.#idForm;
  }

  get #resultRoleName(): string {
    this.#resultRole ??= probeResultRole(this.#render, this.support);
    return this.#resultRole;
  }

  /** Writes the calls of earlier turns where the template leaves them out. */
  get #callWriter(): CallWriter | null {
    if (this.#writer === undefined) {
      const isShown = probeShownCalls(this.#render, this.support);
      this.#writer = isShown ? null : callWriter(chooseOutputFormat(this.#chatTemplate), this.#chatTemplate);
    }
    return this.#writer;
  }
}
