import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import type { AuditLog } from '#admission';
import type { ApiSettings } from '#config';
import { addAudit } from '../admin/add-audit.ts';
import { type ApiParts, apiModule } from '../api.module.ts';
import { addApiHooks, requestIdOf } from '../api-hooks.ts';
import type { Authenticator } from '../auth/authenticator.ts';
import type { OpenRequests } from '../delivery/open-requests.ts';
import { refuseAddress, refuseConnection } from '../errors/refuse-unrouted.ts';
import { NestLogger } from '../nest-logger.ts';
import type { RequestObservers } from '../observation/observe-requests.ts';
import { openapiDocument } from '../openapi/openapi-document.ts';

/** A body that takes longer to arrive than this is not going to. */
const REQUEST_TIMEOUT_MS = 60_000;
/** Longest id in an address; those of models may have 512 characters, each of which may be written as three. */
const MAX_ID_CHARACTERS = 4_096;

/** The Nest application on Fastify, initialised and not yet listening. */
export async function createApp(
  settings: ApiSettings,
  parts: ApiParts,
  authenticator: Authenticator,
  openRequests: OpenRequests,
  observers: RequestObservers,
  audit: AuditLog,
): Promise<NestFastifyApplication> {
  const adapter = new FastifyAdapter({
    bodyLimit: settings.MILLRACE_MAX_BODY_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: MAX_ID_CHARACTERS },
    frameworkErrors: refuseAddress,
    clientErrorHandler: refuseConnection,
    genReqId: (request: { headers: Record<string, string | string[] | undefined> }) => requestIdOf(request.headers),
  });
  const origins = settings.MILLRACE_CORS_ORIGINS ?? null;
  addApiHooks(adapter.getInstance(), authenticator, openRequests, observers, parts.logger, origins);
  addAudit(adapter.getInstance(), audit, parts.logger);
  const app = await NestFactory.create<NestFastifyApplication>(apiModule(parts), adapter, {
    bodyParser: false,
    logger: new NestLogger(parts.logger),
    abortOnError: false,
  });
  SwaggerModule.setup('docs', app, () => openapiDocument() as unknown as OpenAPIObject, {
    jsonDocumentUrl: 'openapi.json',
    raw: ['json'],
    customSiteTitle: 'Millrace API',
  });
  await app.init();
  return app;
}
