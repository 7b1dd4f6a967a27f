"""How many processes score, and how long a completion and a batch may take: `config.scoring`."""

import dataclasses
from typing import Annotated

from rewards.settings import Count
from rewards.settings import OneOf
from rewards.settings import Positive
from rewards.settings import Section


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scoring(Section, place="config.scoring"):
  """What Service is built with."""

  num_workers: Count  # processes for components of completion scope
  completion_timeout_seconds: Positive = 10.0  # CPU time of one completion
  batch_timeout_seconds: Positive = 1800.0  # wall time of a batch; what is not scored by then leaves its group
  # "none", for ablations: what the gate refuses is scored as a lenient reader takes it, but for the format's
  # weight. Format, accuracy and default_total are measured as ever.
  gate: Annotated[str, OneOf(("strict", "none"))] = "strict"
