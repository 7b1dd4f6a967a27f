r"""The seven domains with what a published project pays open tasks: length, variety, words of the prompt.

  python -m reasoner.main --config=experiments/published_rewards.py --workdir=runs/published

The same recipe otherwise, for comparison: likeness to a reference is measured at weight 0 beside them, so
that the report shows what each of the two would have paid. Guards are measured and not applied. Expect the
paid total to rise while what is not paid does not: `python -m rewards attack` finds fluent nothing that
these three pay more than people's texts.
"""

import ml_collections

from experiments import seven_domain

VARIANTS = seven_domain.VARIANTS
OPEN = ("creative_writing", "creative_ideation", "summarization")


def get_config(variant: str = "embedded") -> ml_collections.ConfigDict:
  config = seven_domain.get_config(variant)
  for domain in OPEN:
    rewards = config.rewards[domain]
    for entry in rewards.values():
      if entry is not None:
        entry.weight = 0.0
    rewards.format = dict(weight=0.2, guarded=0.0)
    rewards.update(
        length_band=dict(weight=0.3),
        lexical_diversity=dict(weight=0.25, list_items=domain == "creative_ideation"),
        prompt_relevance=dict(weight=0.25, list_items=domain == "creative_ideation"),
    )
  return config
