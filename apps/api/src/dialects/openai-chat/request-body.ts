import { z } from 'zod';
import { CHAT_FIELDS } from '../chat-request/chat-fields.ts';

/** Body of `POST /v1/chat/completions`. */
export const ChatCompletionBody = z.strictObject(CHAT_FIELDS);
