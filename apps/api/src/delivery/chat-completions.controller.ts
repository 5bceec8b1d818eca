import { Controller, Inject, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { OPENAI_CHAT } from '../dialects/openai-chat/openai-chat-dialect.ts';
import { Completions } from './completions.ts';

@Controller()
export class ChatCompletionsController {
  readonly #completions: Completions;

  constructor(@Inject(Completions) completions: Completions) {
    this.#completions = completions;
  }

  @Post('v1/chat/completions')
  create(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.#completions.answer(OPENAI_CHAT, request, reply);
  }
}
