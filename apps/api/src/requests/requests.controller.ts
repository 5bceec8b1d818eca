import { Controller, Delete, Get, Inject, Param, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { callerOf } from '../auth/caller-of.ts';
import type { RequestBody } from './request-body.ts';
import { RequestDesk } from './request-desk.ts';

@Controller('v1/requests')
export class RequestsController {
  readonly #desk: RequestDesk;

  constructor(@Inject(RequestDesk) desk: RequestDesk) {
    this.#desk = desk;
  }

  @Get(':id')
  show(@Req() request: FastifyRequest, @Param('id') id: string): Promise<RequestBody> {
    return this.#desk.show(callerOf(request), id);
  }

  @Delete(':id')
  async cancel(@Req() request: FastifyRequest, @Res() reply: FastifyReply, @Param('id') id: string): Promise<void> {
    const { settled, body } = await this.#desk.cancel(callerOf(request), id);
    await reply.status(settled ? 200 : 202).send(body);
  }
}
