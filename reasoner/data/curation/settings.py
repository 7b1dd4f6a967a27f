"""What is asked of a row before it enters a pool: the section `config.curation`."""

import dataclasses
from typing import Annotated

from rewards.settings import Count
from rewards.settings import OneOf
from rewards.settings import Range
from rewards.settings import Section

ON_SHARED_NGRAMS = ("drop", "keep")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Curation(Section, place="config.curation"):
  """The rules of `python -m reasoner.curate`; training does not read them."""

  max_prompt_tokens: Count = 1024  # of the task alone, without our instruction
  max_answer_tokens: Count = 2048  # of the reference, which a story's may be as long as
  near_duplicates: Annotated[float, Range(0.1, 1.0)] = 0.8  # least similarity; 1 looks for none
  shared_ngrams: Annotated[str, OneOf(ON_SHARED_NGRAMS)] = "drop"  # or "keep": reported alone
  english_only: bool = True
