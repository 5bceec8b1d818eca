import {
  Body,
  Controller,
  Delete,
  Get,
  Header,
  HttpCode,
  Inject,
  Param,
  Patch,
  Post,
  Put,
  Query,
  Req,
  Res,
} from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { callerOf } from '../auth/caller-of.ts';
import { AuditAdmin } from './audit-admin.ts';
import { LedgerAdmin } from './ledger-admin.ts';
import { QueuesAdmin } from './queues-admin.ts';
import { RefusedAdmin } from './refused-admin.ts';
import { TenancyAdmin } from './tenancy-admin.ts';
import type { TextAnswer } from './text-answer.ts';
import { UsageAdmin } from './usage-admin.ts';
import { WorkersAdmin } from './workers-admin.ts';

/** Routes of the admin API; what they call checks who may. */
@Controller('admin/v1')
export class AdminController {
  readonly #admin: TenancyAdmin;
  readonly #ledger: LedgerAdmin;
  readonly #usage: UsageAdmin;
  readonly #refused: RefusedAdmin;
  readonly #workers: WorkersAdmin;
  readonly #queues: QueuesAdmin;
  readonly #audit: AuditAdmin;

  constructor(
    @Inject(TenancyAdmin) admin: TenancyAdmin,
    @Inject(LedgerAdmin) ledger: LedgerAdmin,
    @Inject(UsageAdmin) usage: UsageAdmin,
    @Inject(RefusedAdmin) refused: RefusedAdmin,
    @Inject(WorkersAdmin) workers: WorkersAdmin,
    @Inject(QueuesAdmin) queues: QueuesAdmin,
    @Inject(AuditAdmin) audit: AuditAdmin,
  ) {
    this.#admin = admin;
    this.#ledger = ledger;
    this.#usage = usage;
    this.#refused = refused;
    this.#workers = workers;
    this.#queues = queues;
    this.#audit = audit;
  }

  @Get('tenants')
  tenants(@Req() request: FastifyRequest, @Query() query: unknown) {
    return this.#admin.tenants(callerOf(request), query);
  }

  @Get('tenants/:id')
  tenant(@Req() request: FastifyRequest, @Param('id') id: string) {
    return this.#admin.tenant(callerOf(request), id);
  }

  @Put('tenants/:id')
  putTenant(@Req() request: FastifyRequest, @Param('id') id: string, @Body() body: unknown) {
    return this.#admin.putTenant(callerOf(request), id, body);
  }

  @Patch('tenants/:id')
  changeTenant(@Req() request: FastifyRequest, @Param('id') id: string, @Body() body: unknown) {
    return this.#admin.changeTenant(callerOf(request), id, body);
  }

  @Delete('tenants/:id')
  removeTenant(@Req() request: FastifyRequest, @Param('id') id: string) {
    return this.#admin.removeTenant(callerOf(request), id);
  }

  @Post('tenants/:id/grants')
  grant(@Req() request: FastifyRequest, @Param('id') id: string, @Body() body: unknown) {
    return this.#admin.grant(callerOf(request), id, body);
  }

  @Get('tenants/:id/usage')
  async usage(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Param('id') id: string,
    @Query() query: unknown,
  ) {
    return written(reply, await this.#usage.ofTenant(callerOf(request), id, query));
  }

  @Get('usage')
  async allUsage(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Query() query: unknown,
  ) {
    return written(reply, await this.#usage.ofAll(callerOf(request), query));
  }

  @Get('tenants/:id/ledger')
  async ledger(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Param('id') id: string,
    @Query() query: unknown,
  ) {
    return written(reply, await this.#ledger.page(callerOf(request), id, query));
  }

  @Post('tenants/:id/ledger/:group/read')
  @HttpCode(200)
  readLedger(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
    @Param('group') group: string,
    @Body() body: unknown,
  ) {
    return this.#ledger.read(callerOf(request), id, group, body);
  }

  @Post('tenants/:id/ledger/:group/confirm')
  @HttpCode(200)
  confirmLedger(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
    @Param('group') group: string,
    @Body() body: unknown,
  ) {
    return this.#ledger.confirm(callerOf(request), id, group, body);
  }

  @Get('tenants/:id/keys')
  keys(@Req() request: FastifyRequest, @Param('id') id: string, @Query() query: unknown) {
    return this.#admin.keys(callerOf(request), id, query);
  }

  @Post('tenants/:id/keys')
  @Header('cache-control', 'no-store')
  createKey(@Req() request: FastifyRequest, @Param('id') id: string, @Body() body: unknown) {
    return this.#admin.createKey(callerOf(request), id, body);
  }

  @Delete('keys/:keyId')
  revokeKey(@Req() request: FastifyRequest, @Param('keyId') keyId: string) {
    return this.#admin.revokeKey(callerOf(request), keyId);
  }

  @Post('keys/:keyId/rotate')
  @Header('cache-control', 'no-store')
  rotateKey(@Req() request: FastifyRequest, @Param('keyId') keyId: string, @Body() body: unknown) {
    return this.#admin.rotateKey(callerOf(request), keyId, body);
  }

  @Get('refused-requests')
  refusedRequests(@Req() request: FastifyRequest, @Query() query: unknown) {
    return this.#refused.list(callerOf(request), query);
  }

  @Get('audit')
  audit(@Req() request: FastifyRequest, @Query() query: unknown) {
    return this.#audit.page(callerOf(request), query);
  }

  @Get('queues')
  queues(@Req() request: FastifyRequest) {
    return this.#queues.list(callerOf(request));
  }

  @Get('workers')
  workers(@Req() request: FastifyRequest) {
    return this.#workers.list(callerOf(request));
  }

  @Post('workers/:workerId/models')
  @HttpCode(202)
  loadModel(@Req() request: FastifyRequest, @Param('workerId') workerId: string, @Body() body: unknown) {
    return this.#workers.load(callerOf(request), workerId, body);
  }

  @Delete('workers/:workerId/models/:model')
  @HttpCode(202)
  unloadModel(
    @Req() request: FastifyRequest,
    @Param('workerId') workerId: string,
    @Param('model') model: string,
    @Query() query: unknown,
  ) {
    return this.#workers.unload(callerOf(request), workerId, model, query);
  }

  @Get('prices')
  prices(@Req() request: FastifyRequest) {
    return this.#admin.prices(callerOf(request));
  }

  @Put('prices')
  putPrices(@Req() request: FastifyRequest, @Body() body: unknown) {
    return this.#admin.putPrices(callerOf(request), body);
  }

  @Get('tenancy')
  exportDocument(@Req() request: FastifyRequest) {
    return this.#admin.exportDocument(callerOf(request));
  }

  @Put('tenancy')
  importDocument(@Req() request: FastifyRequest, @Body() body: unknown, @Query() query: unknown) {
    return this.#admin.importDocument(callerOf(request), body, query);
  }
}

function written(reply: FastifyReply, { contentType, body }: TextAnswer): string {
  reply.header('content-type', contentType);
  return body;
}
