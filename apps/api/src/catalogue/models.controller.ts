import { Controller, Get, Inject, Param, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { MillraceError } from '#contracts';
import { callerOf } from '../auth/caller-of.ts';
import { MODEL_ACCESS, type ModelAccess } from './model-access.ts';
import { type ModelBody, type ModelListBody, modelBody } from './model-body.ts';
import { ModelCatalogue } from './model-catalogue.ts';
import { MODEL_ROUTES } from './model-routes.ts';
import { requireServed } from './require-served.ts';

/** The models that are served now, as far as the caller's tenant may use them. */
@Controller(MODEL_ROUTES)
export class ModelsController {
  readonly #catalogue: ModelCatalogue;
  readonly #access: ModelAccess;

  constructor(@Inject(ModelCatalogue) catalogue: ModelCatalogue, @Inject(MODEL_ACCESS) access: ModelAccess) {
    this.#catalogue = catalogue;
    this.#access = access;
  }

  @Get()
  async list(@Req() request: FastifyRequest): Promise<ModelListBody> {
    const mayUse = await this.#access.mayUse(callerOf(request));
    const usable = this.#catalogue.served().filter(({ card }) => mayUse(card.model));
    return { object: 'list', data: usable.map(modelBody) };
  }

  /** Model ids may hold slashes, as on Hugging Face. */
  @Get('*')
  async get(@Req() request: FastifyRequest, @Param('*') id: string): Promise<ModelBody> {
    const caller = callerOf(request);
    const model = await this.#catalogue.find(id);
    const mayUse = await this.#access.mayUse(caller);
    if (!mayUse(model.card.model)) {
      throw new MillraceError(
        'model_not_allowed',
        `Your tenant "${caller.tenantId}" may not use the model "${model.card.model}". Ask the operator for it.`,
        { param: 'model' },
      );
    }
    requireServed(model);
    return modelBody(model);
  }
}
