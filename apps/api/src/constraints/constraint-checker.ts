import type { OutputConstraint } from '#contracts';
import type { CataloguedModel } from '../catalogue/catalogued-model.ts';

/** By which errors name the form of the answer, whichever field of a request says it. */
export const FORM_PLACE = 'answer';

/** Finds out before a request is admitted whether its constraint can be enforced. */
export interface ConstraintChecker {
  /**
   * @param tenantId whose turn it takes
   * @param ended by then nobody waits for the verdict any more
   * @throws MillraceError invalid_request or unsupported_parameter naming the part of the schema below
   *   `FORM_PLACE` or of a tool, or overloaded
   */
  check(model: CataloguedModel, constraint: OutputConstraint, tenantId: string, ended: AbortSignal): Promise<void>;
}
