import { apertus } from './formats/apertus.ts';
import { apriel } from './formats/apriel.ts';
import { cohere } from './formats/cohere.ts';
import { deepseek } from './formats/deepseek.ts';
import { deepseekDsml, gigachat35 } from './formats/deepseek-dsml.ts';
import { dots } from './formats/dots.ts';
import { ernie } from './formats/ernie.ts';
import { exaoneDeep } from './formats/exaone-deep.ts';
import { functionary } from './formats/functionary.ts';
import { functionaryV32 } from './formats/functionary-v32.ts';
import { functiongemma } from './formats/functiongemma.ts';
import { gemma } from './formats/gemma.ts';
import { generic } from './formats/generic.ts';
import { glm, iquest } from './formats/glm.ts';
import { gptOss } from './formats/gpt-oss.ts';
import { granite } from './formats/granite.ts';
import { granite32 } from './formats/granite-32.ts';
import { hermes } from './formats/hermes.ts';
import { hunyuan } from './formats/hunyuan.ts';
import { hunyuanV3 } from './formats/hunyuan-v3.ts';
import { internlm } from './formats/internlm.ts';
import { jsonList } from './formats/json-list.ts';
import { k2Horizon } from './formats/k2-horizon.ts';
import { kimi } from './formats/kimi.ts';
import { kimiK3 } from './formats/kimi-k3.ts';
import { llama3Json } from './formats/llama3-json.ts';
import { longcat } from './formats/longcat.ts';
import { minicpm } from './formats/minicpm.ts';
import { minimax } from './formats/minimax.ts';
import { minimaxM3 } from './formats/minimax-m3.ts';
import { magistral, mistral } from './formats/mistral.ts';
import { olmo } from './formats/olmo.ts';
import { pythonic } from './formats/pythonic.ts';
import { qwen3Coder } from './formats/qwen3-coder.ts';
import { seedOss } from './formats/seed-oss.ts';
import { solar } from './formats/solar.ts';
import { step3 } from './formats/step3.ts';
import type { OutputFormat } from './output-format.ts';

/**
 * Which text in a chat template tells which family, the most telling first: a template that teaches or replays calls
 * holds their marks.
 */
const TELLING: readonly (readonly [RegExp, OutputFormat])[] = [
  [/｜GCML｜/, gigachat35],
  [/｜DSML｜/, deepseekDsml],
  [/<｜tool▁calls?▁begin｜>/, deepseek],
  [/<\|tool_call>/, gemma],
  [/<start_function_call>/, functiongemma],
  [/<longcat_tool_call>/, longcat],
  [/<\|tool_call_begin\|>/, kimi],
  [/<\|channel\|>[\s\S]*<\|message\|>/, gptOss],
  [/<think>(?![\s\S]*\[THINK\])[\s\S]*\[TOOL_CALLS\]/, magistral],
  [/\[TOOL_CALLS\]/, mistral],
  [/<\|START_ACTION\|>|Action:(?:\s|\\n)*```json|Action:\\?' followed by a json-formatted list/, cohere],
  // Llama 4 writes Python's calls, but where its template asks for JSON.
  [
    /<\|python_start\|>(?![\s\S]*func_name1\()[\s\S]*"parameters": dictionary|"parameters": dictionary(?![\s\S]*func_name1\()[\s\S]*<\|python_start\|>/,
    llama3Json,
  ],
  [/<\|tool_(?:call|list)_start\|>|<\|python_start\|>|List of tools: \[/, pythonic],
  [/<\|tools_prefix\|>/, apertus],
  [/\[BEGIN FINAL RESPONSE\]/, apriel],
  [/<\|action_start\|>/, internlm],
  [/<seed:(tool_call|think)>/, seedOss],
  [/\]<\]minimax\[>\[/, minimaxM3],
  [/<\|open\|>[\s\S]*<\|close\|>/, kimiK3],
  [/<steptml:invoke/, step3],
  [/<\|tool_call:begin\|>/, solar],
  [/<function name="[\s\S]*<param name="/, minicpm],
  [/'<tool_sep\{\}>'\.format|<tool_sep:opensource>/, hunyuanV3],
  [/<minimax:tool_call>/, minimax],
  [/<dots_function_call>/, dots],
  [/<ifm\|tool_call>/, k2Horizon],
  [/<iquest_tool_call>/, iquest],
  [/<arg_key>/, glm],
  [/<function=[\s\S]*<parameter=/, qwen3Coder],
  [/Here is my thought process:/, granite32],
  [/<response>[\s\S]*<\|tool_call\|>|<\|tool_call\|>[\s\S]*<response>/, granite],
  [
    /<answer>[\s\S]*<tool_calls>|<tool_calls>[\s\S]*<answer>|<｜hy_|<\|extra_0\|>[\s\S]*<tool_calls>|<tool_calls>[\s\S]*<\|extra_0\|>/,
    hunyuan,
  ],
  [/<function_calls>/, olmo],
  [/<tool_calls>|<TOOLCALL>|<\|?function_call\|?>|functools\[|<\|role_sep\|>|<\|tool_call\|>/, jsonList],
  [/<response>[\s\S]*<tool_call>|<tool_call>[\s\S]*<response>/, ernie],
  [/<tool_call>/, hermes],
  [/>>>all|>>>' ?\+|'>>>/, functionaryV32],
  [/<function=/, functionary],
  [/<\|python_tag\|>|"parameters": dictionary/, llama3Json],
  [/\[func_name1\(|func1\(/, pythonic],
  // xLAM and Hammer show the list of calls and no mark; Nemotron Mini and Phi 4 mini show tools and no call.
  [
    /\[\s*\{"name": ?"(?:tool_call_name|func_name1|tool_name1)"|<extra_id_1>[\s\S]*<tool>|<tool>[\s\S]*<extra_id_1>|<\|\/tool\|>/,
    jsonList,
  ],
  // Cogito on Llama writes the list that its template makes of earlier calls.
  [/Available Tools:[\s\S]*tool_call\.function\s*\|\s*tojson/, jsonList],
  [/<thought>/, exaoneDeep],
];

/** All formats, by the names that configuration uses. */
export const OUTPUT_FORMATS: ReadonlyMap<string, OutputFormat> = new Map(
  [
    apertus,
    apriel,
    cohere,
    deepseek,
    deepseekDsml,
    dots,
    ernie,
    exaoneDeep,
    functionary,
    olmo,
    longcat,
    magistral,
    hunyuan,
    hunyuanV3,
    granite,
    granite32,
    functiongemma,
    functionaryV32,
    gemma,
    generic,
    gigachat35,
    glm,
    gptOss,
    hermes,
    internlm,
    iquest,
    jsonList,
    k2Horizon,
    kimi,
    kimiK3,
    llama3Json,
    minicpm,
    minimax,
    minimaxM3,
    mistral,
    pythonic,
    qwen3Coder,
    seedOss,
    solar,
    step3,
  ].map((format) => [format.name, format]),
);

/** The format of a chat template's family; `generic` where it shows none. */
export function chooseOutputFormat(chatTemplate: string): OutputFormat {
  return TELLING.find(([pattern]) => pattern.test(chatTemplate))?.[1] ?? generic;
}
