import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import type { Logger } from '#observability';
import { AdminController } from './admin/admin.controller.ts';
import { AuditAdmin } from './admin/audit-admin.ts';
import { LedgerAdmin } from './admin/ledger-admin.ts';
import { QueuesAdmin } from './admin/queues-admin.ts';
import { RefusedAdmin } from './admin/refused-admin.ts';
import { TenancyAdmin } from './admin/tenancy-admin.ts';
import { UsageAdmin } from './admin/usage-admin.ts';
import { WorkersAdmin } from './admin/workers-admin.ts';
import { ApiLifecycle } from './api-lifecycle.ts';
import { LOGGER } from './api-tokens.ts';
import { MODEL_ACCESS, type ModelAccess } from './catalogue/model-access.ts';
import { ModelCatalogue } from './catalogue/model-catalogue.ts';
import { ModelsController } from './catalogue/models.controller.ts';
import { ConsoleController } from './console/console.controller.ts';
import { ChatCompletionsController } from './delivery/chat-completions.controller.ts';
import { Completions } from './delivery/completions.ts';
import { ErrorFilter } from './errors/error.filter.ts';
import { HealthController } from './health/health.controller.ts';
import { Readiness } from './health/readiness.ts';
import { RequestDesk } from './requests/request-desk.ts';
import { RequestsController } from './requests/requests.controller.ts';

/** The plain objects that the controllers work with, made by `startApi`. */
export interface ApiParts {
  readonly logger: Logger;
  readonly catalogue: ModelCatalogue;
  readonly access: ModelAccess;
  readonly completions: Completions;
  readonly desk: RequestDesk;
  readonly readiness: Readiness;
  readonly admin: TenancyAdmin;
  readonly ledger: LedgerAdmin;
  readonly usage: UsageAdmin;
  readonly audit: AuditAdmin;
  readonly refused: RefusedAdmin;
  readonly workers: WorkersAdmin;
  readonly queues: QueuesAdmin;
  readonly lifecycle: ApiLifecycle;
}

@Module({})
export class ApiModule {}

/** The module around parts that stand already: Nest only routes to them and stops them in order. */
export function apiModule(parts: ApiParts): DynamicModule {
  return {
    module: ApiModule,
    controllers: [
      ChatCompletionsController,
      ModelsController,
      RequestsController,
      HealthController,
      AdminController,
      ConsoleController,
    ],
    providers: [
      { provide: LOGGER, useValue: parts.logger },
      { provide: ModelCatalogue, useValue: parts.catalogue },
      { provide: MODEL_ACCESS, useValue: parts.access },
      { provide: Completions, useValue: parts.completions },
      { provide: RequestDesk, useValue: parts.desk },
      { provide: TenancyAdmin, useValue: parts.admin },
      { provide: LedgerAdmin, useValue: parts.ledger },
      { provide: UsageAdmin, useValue: parts.usage },
      { provide: AuditAdmin, useValue: parts.audit },
      { provide: RefusedAdmin, useValue: parts.refused },
      { provide: WorkersAdmin, useValue: parts.workers },
      { provide: QueuesAdmin, useValue: parts.queues },
      { provide: Readiness, useValue: parts.readiness },
      { provide: ApiLifecycle, useValue: parts.lifecycle },
      { provide: APP_FILTER, useFactory: () => new ErrorFilter(parts.logger) },
    ],
  };
}
