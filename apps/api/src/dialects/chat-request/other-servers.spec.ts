import { describe, expect, it } from 'vitest';
import { MillraceError } from '#contracts';
import { OPENAI_CHAT } from '../openai-chat/openai-chat-dialect.ts';
import { OTHER_SERVERS_FIELDS } from './other-servers.ts';

const body = { model: 'tiny', messages: [{ role: 'user', content: 'Hi' }] };
const bare = OPENAI_CHAT.parse(body);

function refusalOf(change: object): MillraceError {
  try {
    OPENAI_CHAT.parse({ ...body, ...change });
  } catch (error) {
    if (error instanceof MillraceError) return error;
    throw error;
  }
  throw new Error('was accepted');
}

describe('fields of other servers', () => {
  it.each([
    // As clients of vLLM write out its defaults.
    {
      ...{ best_of: 1, use_beam_search: false, length_penalty: 1, early_stopping: false, echo: false },
      ...{ skip_special_tokens: true, spaces_between_special_tokens: true, include_stop_str_in_output: false },
      ...{ add_generation_prompt: true, continue_final_message: false, add_special_tokens: false, documents: null },
      ...{
        guided_json: null,
        guided_regex: null,
        guided_choice: null,
        structured_outputs: null,
        prompt_logprobs: null,
      },
      ...{
        include_reasoning: true,
        return_token_ids: false,
        stop_token_ids: [],
        bad_words: [],
        allowed_token_ids: null,
      },
    },
    // As llama.cpp's page and clients of its server do.
    {
      ...{ n_predict: -1, cache_prompt: true, typical_p: 1, mirostat: 0, mirostat_tau: 5, mirostat_eta: 0.1 },
      ...{ dry_multiplier: 0, dry_base: 1.75, dry_allowed_length: 2, dry_penalty_last_n: -1, dynatemp_range: 0 },
      ...{ xtc_probability: 0, xtc_threshold: 0.1, repeat_penalty: 1, n_probs: 0, min_keep: 0, grammar: '' },
      ...{ timings_per_token: false, reasoning_format: 'auto', return_progress: false, top_n_sigma: -1, n_keep: 0 },
    },
  ])('change nothing with values that ask for nothing', (change) => {
    expect(OPENAI_CHAT.parse({ ...body, ...change })).toEqual(bare);
  });

  it.each([
    [{ best_of: 3 }, /"n"/],
    [{ use_beam_search: true }, /without beams/],
    [{ n_predict: 5 }, /"max_tokens"/],
    [{ repeat_penalty: 1.1 }, /"repetition_penalty"/],
    [{ typical_p: 0.5 }, /top_p and min_p/],
    [{ format: 'json' }, /"json_schema"/],
    [{ skip_special_tokens: false }, /never shown/],
    [{ chat_template: '{{ messages }}' }, /own template/],
    [{ thinking_budget: 5 }, /"chat_template_kwargs"/],
    [{ reasoning: { effort: 'low' } }, /"reasoning_effort"/],
    [{ prompt: 'Hi' }, /"messages"/],
    [{ echo: true }, /prompt’s tokens/],
    [{ return_tokens: true }, /"return_token_ids"/],
  ])('are refused with %j, naming what to send instead', (change, remedy) => {
    const [field = ''] = Object.keys(change);
    const error = refusalOf(change);
    expect(error).toMatchObject({ code: 'unsupported_parameter', param: field });
    expect(error.message).toMatch(new RegExp(`^${field} .* is not supported\\. .*${remedy.source}.* Remove it\\.$`));
  });

  it('are none of those that are honoured, and may all be null', () => {
    const nothing = Object.fromEntries(Object.keys(OTHER_SERVERS_FIELDS).map((field) => [field, null]));
    expect(OPENAI_CHAT.parse({ ...body, ...nothing })).toEqual(bare);
  });
});
