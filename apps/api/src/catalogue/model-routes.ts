/** Where OpenAI's clients look for models: below each base URL under which they find a chat route. */
export const MODEL_ROUTES = ['v1/models', 'api/v1/models', 'model/api/v1/models'];
