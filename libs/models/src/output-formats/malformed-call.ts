/** What looked like a tool call is none: its text goes to the content. Never leaves the output parser. */
export class MalformedCall extends Error {
  override readonly name = 'MalformedCall';
}
