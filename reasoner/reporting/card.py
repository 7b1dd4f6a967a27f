"""The card of an exported model: what it is, how it was trained, what it reached, under which terms.

Its figures are summary.json's; none is written by hand.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from reasoner.data import dataset as datasets_
from reasoner.data.curation.card import table
from reasoner.models.family import License
from reasoner.run.settings import Settings


_PLANTED = (
    "The cold start's traces break the format on purpose: the columns before say where GRPO began, not what such a"
    " model reaches."
)


def write(
    settings: Settings, summary: Mapping[str, Any], *, base: str, origin: str, license: License, template: str,
    gguf: str | None,
) -> str:  # fmt: skip
  """Returns README.md.

  Args:
    summary: the run's summary.json.
    base: the starting model's name on the hub; "" where it has none. origin: where it came from.
    template: of the prompts it was trained under.
    gguf: the name of the GGUF file beside it; None for none.
  """
  datasets = [] if settings.data.root.startswith("embedded") else _datasets(settings)
  head = {
      "base_model": base,
      "library_name": "transformers",
      "pipeline_tag": "text-generation",
      "license": license.name,
      "language": "[en]",
      "datasets": f"[{', '.join(d.hub_id for d in datasets)}]" if datasets else "",
      "tags": "[reasoning, grpo, lora, tunix]",
  }
  algorithm, train = settings.grpo, settings.train
  return "\n".join([
      "---",
      *(f"{key}: {value}" for key, value in head.items() if value),
      "---",
      "# A model that shows its work",
      "",
      f"{origin}, fine-tuned with {algorithm.name.upper()} and LoRA (merged here, float32) so that it thinks in",
      "`<reasoning>…</reasoning>` and answers in `<answer>…</answer>`: "
      f"{settings.cold_start.steps:,} supervised steps, then {train.steps:,} steps of {train.prompts_per_step} prompts x"
      f" {algorithm.num_generations} completions, seed {settings.seed}.",
      "",
      "## What it reached",
      "",
      "Held-out prompts, greedy; in percent, before and after GRPO. Accuracy counts a completion without valid format",
      "as wrong, \"given format\" counts valid ones alone; one answer, always given, reaches the last column.",
      "",
      *_results(summary["domains"]),
      *(["", _PLANTED] if settings.data.root == "embedded" else []),
      "",
      "## How to ask it",
      "",
      "The chat template writes the instruction that it was trained under, after one BOS token:",
      "",
      f"```\n{template}```",
      "",
      "```python",
      "from transformers import pipeline",
      'ask = pipeline("text-generation", model=".")  # this directory',
      'print(ask([{"role": "user", "content": "What is 7 + 5?"}])[0]["generated_text"][-1]["content"])',
      "```",
      *([f"\n`ollama create mine -f Modelfile` takes `{gguf}` to Ollama; llama.cpp reads it as it is."] if gguf else []),
      "",
      f"It was trained on prompts of up to {settings.rollout.max_prompt_tokens:,} tokens and completions of up to"
      f" {settings.rollout.max_new_tokens:,}.",
      "",
      "## Terms",
      "",
      f"The weights derive from {origin}, and come under: {license.title} ({license.name}), <{license.url}>.",
      *(["", *table(("data set", "hub", "licence"), [(d.name, d.hub_id, d.licence) for d in datasets])] if datasets else []),
      "",
  ])  # fmt: skip


def _datasets(settings: Settings) -> list[datasets_.DataSet]:
  names = {name for entries in settings.data.sources.values() for name, entry in (entries or {}).items() if entry}
  return [datasets_.known()[name] for name in sorted(names)]


def _results(domains: Mapping[str, Mapping[str, Any]]) -> Sequence[str]:
  def percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f}"

  fields = ("format", "accuracy", "accuracy_given_format")
  head = ["domain", "n", *(f"{f.replace('_', ' ')} {when}" for f in fields for when in ("before", "after")), "constant"]
  rows = [
      [
          domain,
          str(row["n"]),
          *(percent(row[f"{field}_{when}"]) for field in fields for when in ("before", "after")),
          percent(row["best_constant_answer"]),
      ]
      for domain, row in sorted(domains.items())
  ]
  return table(head, rows)
