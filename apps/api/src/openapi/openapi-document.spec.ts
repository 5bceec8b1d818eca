import 'reflect-metadata';
import { RequestMethod, type Type } from '@nestjs/common';
import { METHOD_METADATA, PATH_METADATA } from '@nestjs/common/constants.js';
import { describe, expect, it } from 'vitest';
import { type ApiParts, apiModule } from '../api.module.ts';
import { ConsoleController } from '../console/console.controller.ts';
import { ChatCompletionBody } from '../dialects/openai-chat/request-body.ts';
import { openapiDocument } from './openapi-document.ts';

describe('openapiDocument', () => {
  const document = JSON.parse(JSON.stringify(openapiDocument()));

  it('describes every field that the schema takes, and refuses others as it does', () => {
    const { properties, additionalProperties, required } = document.components.schemas.ChatCompletionBody;
    expect(Object.keys(properties)).toEqual(Object.keys(ChatCompletionBody.shape));
    expect(additionalProperties).toBe(false);
    expect(required).toEqual(['model', 'messages']);
    expect(JSON.stringify(properties.temperature)).toContain('"maximum":2');
    expect(JSON.stringify(properties.seed)).toContain('"type":"integer"');
  });

  it('refers only to schemas that it has', () => {
    const references = JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g);
    for (const [, name] of references) expect(document.components.schemas).toHaveProperty(name!);
  });

  it('has all routes that there are, but for those of pages, and no other', () => {
    const documented = Object.entries(document.paths as Record<string, object>).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method} ${path}`),
    );
    // It is asked for its controllers alone.
    const { controllers = [] } = apiModule({} as ApiParts);
    const routed = controllers.filter((controller) => controller !== ConsoleController).flatMap(routesOf);
    expect(documented.toSorted()).toEqual(routed.toSorted());
  });

  it('gives every operation an id of its own', () => {
    const operations = Object.values(document.paths as Record<string, Record<string, { operationId?: string }>>);
    const ids = operations.flatMap((path) => Object.values(path).map(({ operationId }) => operationId));
    expect(ids).not.toContain(undefined);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

/** A controller's routes, as `get /v1/models/{id}`. */
function routesOf(controller: Type): string[] {
  const bases: string[] = [Reflect.getMetadata(PATH_METADATA, controller)].flat();
  const handlers = Object.values(Object.getOwnPropertyDescriptors(controller.prototype)).map(({ value }) => value);
  return handlers
    .filter((handler) => typeof handler === 'function' && Reflect.hasMetadata(METHOD_METADATA, handler))
    .flatMap((handler) => {
      const method = RequestMethod[Reflect.getMetadata(METHOD_METADATA, handler)]!.toLowerCase();
      const paths: string[] = [Reflect.getMetadata(PATH_METADATA, handler)].flat();
      return bases.flatMap((base) => paths.map((path) => `${method} ${addressOf(base, path)}`));
    });
}

/** `/v1/models/{id}` for `v1` and `models/:id`, or `models/*`, where an id may have slashes. */
function addressOf(...parts: string[]): string {
  const words = parts.flatMap((part) => part.split('/')).filter((word) => word !== '');
  return `/${words
    .join('/')
    .replaceAll(/:(\w+)/g, '{$1}')
    .replace('*', '{id}')}`;
}
