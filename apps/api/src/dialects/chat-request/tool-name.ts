import { z } from 'zod';

const MAX_DESCRIPTION_CHARACTERS = 16_384;

/** Of functions and custom tools alike: the model is shown both as functions. */
export const toolName = z.string().regex(/^[\w-]{1,64}$/, 'must have 1 to 64 letters, digits, underscores or dashes');
export const toolDescription = z.string().max(MAX_DESCRIPTION_CHARACTERS).nullish();
