import { Controller, Inject, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { MillraceError } from '#contracts';
import { DIALECTS, dialectAt } from '../dialects/dialects.ts';
import { Completions } from './completions.ts';

/** The route of every dialect. */
@Controller()
export class ChatCompletionsController {
  readonly #completions: Completions;

  constructor(@Inject(Completions) completions: Completions) {
    this.#completions = completions;
  }

  @Post(DIALECTS.map((dialect) => dialect.path))
  create(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const path = request.routeOptions.url ?? '';
    const dialect = dialectAt(path);
    if (dialect === null) throw new MillraceError('internal_error', `${path} is routed here, but no dialect has it.`);
    return this.#completions.answer(dialect, request, reply);
  }
}
