"""Rewards for models that show their work: a strict format gate, verified truth, measured quality.

Importable on a laptop in milliseconds: the standard library alone, no JAX, no reasoner. A reward
that needs a heavy library imports it when it is built or first called.
"""

from rewards.errors import ConfigError
from rewards.format import parse
from rewards.registry import register
from rewards.schema import Choice
from rewards.schema import Completion
from rewards.schema import Example
from rewards.schema import Number
from rewards.schema import RewardBreakdown
from rewards.schema import Score
from rewards.schema import Text
from rewards.schema import UnitTests
from rewards.schema import Unscored
from rewards.schema import YesNo


def __getattr__(name: str):
  if name == "as_trl":  # worker processes are for those who ask for them
    from rewards.trl import as_trl

    return as_trl
  raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
