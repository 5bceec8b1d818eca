import type { OutputFormat } from '../output-format.ts';
import { readJsonCalls } from '../readers/json-calls.ts';

/** Cohere Command R7B and A: `<|START_ACTION|>[{"tool_name": …, "parameters": {…}}]<|END_ACTION|>`; Command R: `Action:`. */
export const cohere: OutputFormat = {
  name: 'cohere',
  openings: ['<|START_ACTION|>', 'Action:\n```json', 'Action: ```json'],
  surroundings: ['<|END_ACTION|>', '```'],
  dropped: [
    '<|START_TEXT|>',
    '<|END_TEXT|>',
    '<|START_RESPONSE|>',
    '<|END_RESPONSE|>',
    '<|CHATBOT_TOKEN|>',
    '<|END_OF_TURN_TOKEN|>',
  ],
  reasoning: { open: '<|START_THINKING|>', close: '<|END_THINKING|>' },
  readCalls: (reading) => readJsonCalls(reading, [{ name: 'tool_name', arguments: 'parameters' }]),
};
