import { z } from 'zod';
import { CHAT_FIELDS } from '../chat-request/chat-fields.ts';

/** Body of `POST /api/v1/chat/completions`. */
export const ApiChatBody = z.strictObject(CHAT_FIELDS);
