import { z } from 'zod';
import { ModelBody, ModelListBody } from '../catalogue/model-body.ts';
import { ChatCompletionBody } from '../dialects/openai-chat/chat-completion-body.ts';
import { ChunkBody, CompletionBody } from '../dialects/openai-chat/completion-body.ts';
import { ErrorBody } from '../dialects/openai-chat/error-body.ts';

const SCHEMAS = { ChatCompletionBody, CompletionBody, ChunkBody, ErrorBody, ModelBody, ModelListBody };
type SchemaName = keyof typeof SCHEMAS;

const BEARER = [{ bearer: [] }];
const modelNotFound = {
  404: failure('No worker has served a model of this name.'),
  503: failure('No worker serves it now.'),
};

/** The OpenAPI 3.1 description of the HTTP API, made from the schemas that validate requests and shape answers. */
export function openapiDocument() {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Millrace',
      version: '1',
      description: 'Chat completions from a cluster of ONNX Runtime workers.',
    },
    paths: {
      '/v1/chat/completions': {
        post: {
          operationId: 'createChatCompletion',
          summary: 'Answers a conversation, whole or as a stream',
          tags: ['chat'],
          security: BEARER,
          requestBody: { required: true, content: json('ChatCompletionBody') },
          responses: {
            200: {
              description: 'The answer; with stream: true as server-sent events of ChunkBody, ended by `data: [DONE]`.',
              content: { ...json('CompletionBody'), 'text/event-stream': { schema: reference('ChunkBody') } },
            },
            400: failure('The request is not valid, or asks for something that is not supported.'),
            401: failure('The key is missing or unknown.'),
            413: failure('The body is too large.'),
            415: failure('The body is not JSON.'),
            ...modelNotFound,
          },
        },
      },
      '/v1/models': {
        get: {
          operationId: 'listModels',
          summary: 'The models that live workers serve',
          tags: ['models'],
          security: BEARER,
          responses: {
            200: { description: 'The models.', content: json('ModelListBody') },
            401: failure('No valid key.'),
          },
        },
      },
      '/v1/models/{id}': {
        get: {
          operationId: 'getModel',
          summary: 'One model',
          tags: ['models'],
          security: BEARER,
          parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'string' } }],
          responses: {
            200: { description: 'The model.', content: json('ModelBody') },
            401: failure('No valid key.'),
            ...modelNotFound,
          },
        },
      },
      '/healthz': health('Whether the process is alive', 'It is.', {}),
      '/readyz': health('Whether this replica should get requests', 'It should.', {
        503: { description: 'It should not.' },
      }),
    },
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
      schemas: Object.fromEntries(Object.entries(SCHEMAS).map(([name, schema]) => [name, jsonSchema(schema)])),
    },
  } as const;
}

function jsonSchema(schema: z.ZodType): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input' });
  return rest;
}

function reference(name: SchemaName) {
  return { $ref: `#/components/schemas/${name}` };
}

function json(name: SchemaName) {
  return { 'application/json': { schema: reference(name) } };
}

function failure(description: string) {
  return { description, content: json('ErrorBody') };
}

function health(summary: string, description: string, more: object) {
  return { get: { summary, tags: ['health'], responses: { 200: { description }, ...more } } };
}
