import { MillraceError } from '#contracts';

/**
 * The body is JSON but not built as the dialect says: a field is missing, unknown or of another type, or a message is
 * wrong. A parameter whose value alone is wrong is a plain `MillraceError`; some dialects give the two different statuses.
 */
export class BodyStructureError extends MillraceError {}
