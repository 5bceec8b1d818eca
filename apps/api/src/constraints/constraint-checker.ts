import type { OutputConstraint } from '#contracts';
import type { CataloguedModel } from '../catalogue/catalogued-model.ts';

/** Finds out before a request is admitted whether its constraint can be enforced. */
export interface ConstraintChecker {
  /** @throws MillraceError invalid_request or unsupported_parameter naming the part of the schema, or overloaded */
  check(model: CataloguedModel, constraint: OutputConstraint): Promise<void>;
}
