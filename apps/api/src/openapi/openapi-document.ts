import { z } from 'zod';
import { ADMIN_SCHEMAS, adminPaths } from '../admin/admin-paths.ts';
import { ModelBody, ModelListBody } from '../catalogue/model-body.ts';
import { MODEL_ROUTES } from '../catalogue/model-routes.ts';
import type { Dialect, NamedSchema } from '../dialects/dialect.ts';
import { DIALECTS } from '../dialects/dialects.ts';
import { OPENAI_CHAT } from '../dialects/openai-chat/openai-chat-dialect.ts';
import { RequestBody } from '../requests/request-body.ts';

const MODEL: NamedSchema = { name: 'ModelBody', schema: ModelBody };
const MODEL_LIST: NamedSchema = { name: 'ModelListBody', schema: ModelListBody };
const REQUEST: NamedSchema = { name: 'RequestBody', schema: RequestBody };
const ERROR = OPENAI_CHAT.schemas.error;
const SCHEMAS: readonly NamedSchema[] = [
  MODEL,
  MODEL_LIST,
  REQUEST,
  ...Object.values(ADMIN_SCHEMAS),
  ...DIALECTS.flatMap(({ schemas }) => Object.values(schemas).filter((schema) => schema !== null)),
];

const BEARER = [{ bearer: [] }];
/** What a chat completion can be refused with, unless its dialect says otherwise. */
const STATUSES: Readonly<Record<number, string>> = {
  400: 'The request is not valid, or asks for something that is not supported.',
  401: 'The key is missing or unknown.',
  402: 'The tenant is out of credits.',
  403: 'The tenant may not use this model.',
  404: 'No worker has served a model of this name.',
  409: 'A request with the same Idempotency-Key is just being let in; Retry-After says when to try again.',
  413: 'The body is too large.',
  415: 'The body is not JSON.',
  422: 'The Idempotency-Key stands for another request.',
  429: 'A limit of the tenant or of the queue is reached; Retry-After says when to try again.',
  500: 'Something went wrong here.',
  503: 'No worker serves the model now, or the cluster can not take the request; Retry-After says when to try again.',
  504: 'The request took longer than its x-request-timeout-ms.',
};
/** By which an answer outlives its connection, or does not take too long. */
const REQUEST_HEADERS = [
  header(
    'Idempotency-Key',
    'Sent again with the same body, gives the same answer, finished or under way, and pays once.',
  ),
  header('x-millrace-resumable', '`true`: events have ids, and the answer can be come back to.'),
  header('x-millrace-resume', '`exact` or `fast`: how another worker catches up when the first is lost.'),
  header('Last-Event-ID', 'With a known Idempotency-Key: the stream goes on behind this event.'),
  header('x-request-timeout-ms', 'The request is ended when it takes longer, in whatever phase it is.'),
  header('x-queue-timeout-ms', 'The longest wait in the queue.'),
];
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
      ...Object.fromEntries(DIALECTS.map((dialect) => [dialect.path, { post: operation(dialect) }])),
      ...Object.assign({}, ...MODEL_ROUTES.map(modelPaths)),
      '/v1/requests/{id}': {
        get: aboutRequest('getRequest', 'What a request of your tenant has come to', {}),
        delete: aboutRequest(
          'cancelRequest',
          'Ends a request, whichever phase it is in; one that is over stays as it is',
          {
            202: { description: 'It was asked to end and has not ended yet.', content: json(REQUEST) },
          },
        ),
      },
      '/v1/requests/{id}/answer': { get: answerOfRequest() },
      ...adminPaths(),
      '/healthz': health('getHealth', 'Whether the process is alive', 'It is.', {}),
      '/readyz': health('getReadiness', 'Whether this replica should get requests', 'It should.', {
        503: { description: 'It should not.' },
      }),
    },
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
      schemas: Object.fromEntries(SCHEMAS.map(({ name, schema }) => [name, jsonSchema(schema)])),
    },
  };
}

/** The first route's operations have the plain names. */
function modelPaths(route: string, index: number) {
  const names = index === 0 ? '' : `At${route.replaceAll(/\W+(\w)/g, (_, letter: string) => letter.toUpperCase())}`;
  return {
    [`/${route}`]: {
      get: {
        operationId: `listModels${names}`,
        summary: 'The models that live workers serve',
        tags: ['models'],
        security: BEARER,
        responses: {
          200: { description: 'The models.', content: json(MODEL_LIST) },
          401: failure('No valid key.'),
        },
      },
    },
    [`/${route}/{id}`]: {
      get: {
        operationId: `getModel${names}`,
        summary: 'One model',
        tags: ['models'],
        security: BEARER,
        parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'string' } }],
        responses: {
          200: { description: 'The model.', content: json(MODEL) },
          401: failure('No valid key.'),
          403: failure('The tenant may not use this model.'),
          ...modelNotFound,
        },
      },
    },
  };
}

function jsonSchema(schema: z.ZodType): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input' });
  return rest;
}

function operation(dialect: Dialect) {
  const { request, completion, chunk, error } = dialect.schemas;
  const events = chunk === null ? {} : { 'text/event-stream': { schema: reference(chunk) } };
  const answer =
    chunk === null
      ? 'The answer.'
      : `The answer; with stream: true as server-sent events of ${chunk.name}, ended by \`data: [DONE]\`.`;
  const statuses = { ...STATUSES, ...dialect.statuses };
  return {
    operationId: dialect.name,
    summary: dialect.summary,
    tags: ['chat'],
    security: BEARER,
    parameters: REQUEST_HEADERS,
    requestBody: { required: true, content: json(request) },
    responses: {
      200: { description: answer, content: { ...json(completion), ...events } },
      ...Object.fromEntries(
        Object.entries(statuses).map(([status, meaning]) => [status, { description: meaning, content: json(error) }]),
      ),
    },
  };
}

function answerOfRequest() {
  const { parameters, responses, ...rest } = aboutRequest('getAnswer', 'A kept answer again, in its own dialect', {});
  const content = { 'application/json': {}, 'text/event-stream': {} };
  return {
    ...rest,
    parameters: [...parameters, header('Last-Event-ID', 'A stream goes on behind this event.')],
    responses: { ...responses, 200: { description: 'The answer, as it was asked for.', content } },
  };
}

function aboutRequest(operationId: string, summary: string, more: object) {
  return {
    operationId,
    summary,
    tags: ['requests'],
    security: BEARER,
    parameters: [
      {
        name: 'id',
        in: 'path',
        required: true,
        description: 'The id of its answer, or the x-request-id of its response.',
        schema: { type: 'string' },
      },
    ],
    responses: {
      200: { description: 'The request.', content: json(REQUEST) },
      ...more,
      401: failure('No valid key.'),
      404: failure('No such request of your tenant; requests are remembered for an hour.'),
      503: failure('Redis can not be asked; Retry-After says when to try again.'),
    },
  };
}

function header(name: string, description: string) {
  return { name, in: 'header', required: false, description, schema: { type: 'string' } };
}

function reference({ name }: NamedSchema) {
  return { $ref: `#/components/schemas/${name}` };
}

function json(schema: NamedSchema) {
  return { 'application/json': { schema: reference(schema) } };
}

function failure(description: string) {
  return { description, content: json(ERROR) };
}

function health(operationId: string, summary: string, description: string, more: object) {
  return { get: { operationId, summary, tags: ['health'], responses: { 200: { description }, ...more } } };
}
