import type { ExecutionProvider } from '#contracts';
import { CApiSession } from './binding/c-api-session.ts';
import { JsApiSession } from './binding/js-api-session.ts';
import type { SessionBinding, SessionOptions } from './binding/session-binding.ts';
import { OrtLibraryError } from './ort/ort-library-error.ts';
import { ProviderUnavailableError } from './provider-unavailable-error.ts';

export interface OpenSessionOptions extends SessionOptions {
  readonly binding: 'auto' | 'c-api' | 'js-api';
  readonly onFallback: (reason: string) => void;
  /** The model as a provider needs it, and what is not as it should be there; as it is where there is none. */
  readonly modelFor?: (model: SessionOptions['model'], provider: ExecutionProvider) => ModelForm;
}

export interface ModelForm {
  readonly model: SessionOptions['model'];
  readonly problem: string | null;
}

/**
 * Opens the model on a provider.
 * @throws OrtLibraryError, ModelLoadError; ProviderUnavailableError when the provider does not work here
 */
export async function openSession(options: OpenSessionOptions): Promise<SessionBinding> {
  const { provider } = options;
  const { model, problem } = options.modelFor?.(options.model, provider) ?? { model: options.model, problem: null };
  const session: SessionOptions = { ...options, model };
  if (options.binding === 'js-api') {
    if (provider === 'cpu') return JsApiSession.open(session);
    // onnxruntime-node's own API would carry the whole cache between device and host in every step.
    throw new ProviderUnavailableError(provider, 'the binding js-api runs on the CPU only; choose auto or c-api.');
  }
  try {
    const opened = new CApiSession(session);
    if (problem !== null) options.onFallback(problem);
    return opened;
  } catch (error) {
    if (options.binding === 'c-api' || provider !== 'cpu' || !(error instanceof OrtLibraryError)) throw error;
    options.onFallback(`the JS API is used: ${error.message}`);
    return JsApiSession.open(session);
  }
}
