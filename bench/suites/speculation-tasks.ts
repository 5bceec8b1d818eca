import type { OutputConstraint } from '#contracts';

/** @param place and `year` tell several such texts apart */
const lighthouse = (
  place: string,
  year: number,
) => `The lighthouse at ${place} was built in ${year} by the brothers Anselm and Otto Vreeland, who had come from the
mainland with eleven masons and a mule named Harriet. The tower is thirty-one metres high and stands on a ledge of red granite, forty
steps above the landing. Its first lamp burned colza oil and was replaced by paraffin in 1889, by acetylene in 1911 and by an electric
lamp of 1,500 watts in 1953. The last keeper, Maud Ellery, left on 3 October 1987 with two suitcases, a barometer and the logbooks of
ninety years. Since then the light has been watched from the harbour office in Dunmore, which counts the turns of the lens and sends a
boat when one is missing. In winter the causeway is closed from the first storm until the end of March.`;

const TEXT = lighthouse('Cape Merrow', 1874);
const TEXTS = [lighthouse('Gull Island', 1869), lighthouse('Sandness', 1880), TEXT, lighthouse('Port Oriel', 1891)];

const CODE = `class OrderBook:
    def __init__(self, symbol):
        self.symbol = symbol
        self.bids = []
        self.asks = []

    def add_order(self, side, price, quantity):
        order = {"side": side, "price": price, "quantity": quantity}
        if side == "buy":
            self.bids.append(order)
            self.bids.sort(key=lambda order: -order["price"])
        else:
            self.asks.append(order)
            self.asks.sort(key=lambda order: order["price"])
        return order

    def best_bid(self):
        return self.bids[0]["price"] if self.bids else None

    def best_ask(self):
        return self.asks[0]["price"] if self.asks else None`;

const FIRST_NAMES = ['Amelie', 'Kofi', 'Priya', 'Tomasz', 'Lucia', 'Noah', 'Ingrid', 'Yusuf'];
const LAST_NAMES = ['Brandt', 'Mensah', 'Raman', 'Zielinski', 'Ferreira', 'Lindqvist', 'Okafor'];

function records(count: number): string {
  const people = Array.from({ length: count }, (_, index) => {
    const [first = '', last = ''] = [FIRST_NAMES[index % FIRST_NAMES.length], LAST_NAMES[index % LAST_NAMES.length]];
    const email = `${first}.${last}@example.org`.toLowerCase();
    return { id: 4_170 + 13 * index, name: `${first} ${last}`, email, status: index % 2 === 0 ? 'active' : 'invited' };
  });
  return JSON.stringify(people, null, 1);
}

const LISTED = 'List the name and the email of each person in this JSON, one per line:';

const text = { type: 'string', maxLength: 40 };
/** An object as strict mode has them: all properties required, no others. */
const closed = (properties: Record<string, unknown>) => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
});
const TICKET = closed({
  customer: text,
  subject: text,
  category: { enum: ['billing', 'delivery', 'account', 'other'] },
  priority: { enum: ['low', 'normal', 'high', 'urgent'] },
  invoice_number: { type: 'integer', minimum: 0, maximum: 9_999 },
  sentiment: { enum: ['positive', 'neutral', 'negative'] },
  requires_callback: { type: 'boolean' },
  next_step: text,
});
const FORECAST = {
  name: 'get_weather_forecast',
  parameters: closed({
    location: text,
    temperature_unit: { enum: ['celsius', 'fahrenheit'] },
    days: { type: 'integer', minimum: 1, maximum: 9 },
    include_hourly: { type: 'boolean' },
  }),
  strict: true,
};

export interface SpeculationTask {
  readonly name: string;
  readonly message: string;
  readonly grounded: boolean;
  /** 0 by default. */
  readonly temperature?: number;
  /** What the answer is held to; nothing by default. */
  readonly constraint?: OutputConstraint;
}

/** Answers that quote or edit what they are given, and some that have nothing to quote. */
export const SPECULATION_TASKS: readonly SpeculationTask[] = [
  { name: 'a text repeated', message: `Repeat the following text word for word:\n\n${TEXT}`, grounded: true },
  {
    name: 'code with a method renamed',
    message: `Rename the method add_order to place_order. Write the whole class again:\n\n\`\`\`python\n${CODE}\n\`\`\``,
    grounded: true,
  },
  { name: 'six records as a list', message: `${LISTED}\n\n${records(6)}`, grounded: true },
  {
    name: 'four texts repeated',
    message: `Repeat the following text word for word:\n\n${TEXTS.join('\n\n')}`,
    grounded: true,
  },
  { name: 'a summary', message: `Summarize the following text:\n\n${TEXT}`, grounded: true },
  { name: 'a story', message: 'Write a long story about a fox who wants to learn how to sail.', grounded: false },
  {
    name: 'an explanation',
    message: 'Explain in detail how a refrigerator works and why it needs a compressor.',
    grounded: false,
  },
  {
    name: 'a story, drawn at temperature 1',
    message: 'Write a long story about a fox who wants to learn how to sail.',
    grounded: false,
    temperature: 1,
  },
  {
    name: 'a ticket, held to a schema of eight properties',
    message:
      'A customer, Ingrid Lindqvist, writes that her invoice 4183 of March was charged twice and that she is angry. Write a ticket about it.',
    grounded: true,
    constraint: { type: 'json_schema', schema: TICKET, strict: true },
  },
  {
    name: 'two calls of a tool',
    message: 'What is the weather like in Dunmore and in Port Oriel, in degrees Celsius, today and tomorrow?',
    grounded: true,
    constraint: { type: 'tool_calls', format: 'hermes', tools: [FORECAST], choice: 'required', parallel: true },
  },
];
