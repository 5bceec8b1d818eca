import { Controller, Get, Inject, Param } from '@nestjs/common';
import { type ModelBody, type ModelListBody, modelBody } from './model-body.ts';
import { ModelCatalogue } from './model-catalogue.ts';
import { requireServed } from './require-served.ts';

@Controller('v1/models')
export class ModelsController {
  readonly #catalogue: ModelCatalogue;

  constructor(@Inject(ModelCatalogue) catalogue: ModelCatalogue) {
    this.#catalogue = catalogue;
  }

  @Get()
  list(): ModelListBody {
    return { object: 'list', data: this.#catalogue.served().map(modelBody) };
  }

  /** Model ids may hold slashes, as on Hugging Face. */
  @Get('*')
  async get(@Param('*') id: string): Promise<ModelBody> {
    const model = await this.#catalogue.find(id);
    requireServed(model);
    return modelBody(model);
  }
}
