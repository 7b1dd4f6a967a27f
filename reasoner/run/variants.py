"""From one expression to runs: a config with something dropped or another value, and the config itself first.

  expand(config, drop=["rewards.creative_writing.*"], vary=["disco.alpha=0.5,1.0"])
  # as_it_is, no_creative_writing.pasting (weight 0: measured, not paid), ..., disco.alpha=1.0

One thing differs in each: no products, but for seeds, which every variant gets all of.
"""

from collections.abc import Mapping, Sequence
import dataclasses
import fnmatch
import re
from typing import Any

from rewards.errors import ConfigError

AS_IT_IS = "as_it_is"
# A variant of these needs a cold start of its own. Not one of disco, by which traces are drawn too: what it asks is
# how GRPO samples.
_COLD_START_FIELDS = ("model.", "data.", "curation.", "cold_start.", "plugins", "rollout.max_", "seed")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Variant:
  """A named change. fields: what it sets, as "disco.alpha=1.0"."""

  name: str
  fields: tuple[str, ...] = ()

  @property
  def shares_cold_start(self) -> bool:
    return not any(field.startswith(_COLD_START_FIELDS) for field in self.fields)


def expand(
    config: Mapping[str, Any], *, drop: Sequence[str] = (), drop_together: Sequence[str] = (),
    vary: Sequence[str] = (), leave_one_out: bool = False,
) -> list[Variant]:  # fmt: skip
  """Returns the variants of a plain config, itself first.

  Args:
    drop: patterns of "rewards.DOMAIN.COMPONENT"; each that is paid (a guard: applied) is dropped in a run of
      its own. drop_together: the same, but all that a pattern matches in one run.
    vary: "FIELD=VALUE,VALUE": a run for each value that the config does not have already.
    leave_one_out: drops everything that is paid, one by one, but for the format.

  Raises:
    ConfigError: a pattern matches nothing that is paid, or nothing would differ. Whether a field exists is
      told when the variant's config is read.
  """
  paid = [
      f"rewards.{domain}.{name}"
      for domain, entries in sorted(config["rewards"].items())
      for name, entry in sorted(entries.items()) if entry is not None and entry["weight"]
  ]  # fmt: skip
  found = [Variant(name=AS_IT_IS)]
  for pattern in [*drop, *(["rewards.*.*"] if leave_one_out else [])]:
    for path in _matches(pattern, paid, "--drop"):
      if pattern != "rewards.*.*" or not path.endswith(".format"):
        found.append(Variant(name="no_" + path.removeprefix("rewards."), fields=(f"{path}.weight=0.0",)))
  for pattern in drop_together:
    name = "no_" + re.sub(r"[^\w.]+", "all", pattern.removeprefix("rewards."))
    fields = tuple(f"{path}.weight=0.0" for path in _matches(pattern, paid, "--drop_together"))
    found.append(Variant(name=name, fields=fields))
  for expression in vary:
    field, equals, values = expression.partition("=")
    if not (equals and values):
      raise ConfigError(f"--vary={expression}: expected FIELD=VALUE,VALUE, as in disco.alpha=0.5,1.0.")
    own = _value(config, field)
    found += [
        Variant(name=re.sub(r"[^-+.=\w]+", "_", f"{field}={value}"), fields=(f"{field}={value}",))
        for value in values.split(",") if value not in (str(own), repr(own))
    ]  # fmt: skip
  variants = list({variant.name: variant for variant in found}.values())
  if len(variants) == 1:
    raise ConfigError("nothing would differ: give --drop, --drop_together, --vary or --leave_one_out.")
  return variants


def _matches(pattern: str, paid: Sequence[str], flag: str) -> list[str]:
  own = fnmatch.filter(paid, pattern)
  if not own:
    raise ConfigError(f"{flag}={pattern} matches nothing that is paid; what is: {', '.join(paid)}.")
  return own


def _value(config: Mapping[str, Any], field: str) -> Any:
  value: Any = config
  for name in field.split("."):
    value = value.get(name) if isinstance(value, Mapping) else None
  return value
