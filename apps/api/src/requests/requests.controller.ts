import { Controller, Delete, Get, Inject, Param, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { callerOf } from '../auth/caller-of.ts';
import { Completions } from '../delivery/completions.ts';
import type { RequestBody } from './request-body.ts';
import { RequestDesk } from './request-desk.ts';

@Controller('v1/requests')
export class RequestsController {
  readonly #desk: RequestDesk;

  readonly #completions: Completions;

  constructor(@Inject(RequestDesk) desk: RequestDesk, @Inject(Completions) completions: Completions) {
    this.#desk = desk;
    this.#completions = completions;
  }

  @Get(':id')
  show(@Req() request: FastifyRequest, @Param('id') id: string): Promise<RequestBody> {
    return this.#desk.show(callerOf(request), id);
  }

  /** The answer itself, for a request whose answer is kept. */
  @Get(':id/answer')
  async answer(@Req() request: FastifyRequest, @Res() reply: FastifyReply, @Param('id') id: string): Promise<void> {
    const requestId = await this.#desk.requestIdOf(callerOf(request), id);
    await this.#completions.resume(requestId, request, reply);
  }

  @Delete(':id')
  async cancel(@Req() request: FastifyRequest, @Res() reply: FastifyReply, @Param('id') id: string): Promise<void> {
    const { settled, body } = await this.#desk.cancel(callerOf(request), id);
    await reply.status(settled ? 200 : 202).send(body);
  }
}
