import { z } from 'zod';
import { CHAT_FIELDS } from '../chat-request/chat-fields.ts';
import { FUNCTION_FIELDS } from '../chat-request/tools.ts';

/** Body of `POST /api/v1/chat/completions`, whose document has functions as the only tools. */
export const ApiChatBody = z.strictObject({ ...CHAT_FIELDS, ...FUNCTION_FIELDS });
