"""python -m reasoner.attack --workdir=runs/seven_domain --input=rows.jsonl [--budget=300 ...]

`python -m rewards attack` with a model at hand, so that rewards that ask the frozen one (`information`,
`model_judge`) can be paid and searched, as in

  --config=experiments/seven_domain.py:embedded --config.rewards.creative_writing.information.weight=0.4

The model is a finished run's base, without its adapter. All flags but --workdir are those of the command in
`rewards`, and so is the report.
"""

import argparse
import sys

from reasoner.models import lora
from reasoner.policy import frozen_model
from reasoner.policy import grpo
from reasoner.run.workdir import Workdir
from rewards import __main__ as rewards_command
from rewards.errors import ConfigError

ROWS = 8  # texts a forward pass


def main(arguments: list[str] | None = None) -> int:
  parser = argparse.ArgumentParser(
      prog="python -m reasoner.attack", description=__doc__, add_help=False, allow_abbrev=False,
      formatter_class=argparse.RawDescriptionHelpFormatter,
  )  # fmt: skip
  parser.add_argument("--workdir", required=True, help="a finished run")
  options, others = parser.parse_known_args(arguments)
  try:
    model = frozen_base(options.workdir)
  except ConfigError as error:
    print(f"error: {error}", file=sys.stderr)
    return 2
  return rewards_command.main(["attack", *others], model=model)


def frozen_base(workdir: str) -> frozen_model.FrozenModel:
  """Returns a finished run's base as rewards ask it. Raises ConfigError where no run has finished there."""
  finished = Workdir(workdir).open()
  limits = finished.settings.rollout
  policy = grpo.Policy(
      lora.without_adapter(finished.model),
      finished.tokenizer,
      finished.mesh,
      max_prompt_tokens=limits.max_prompt_tokens,
      max_new_tokens=limits.max_new_tokens,
  )
  return frozen_model.FrozenModel(policy, rows=ROWS)


if __name__ == "__main__":
  sys.exit(main())
