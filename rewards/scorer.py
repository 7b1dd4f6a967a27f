"""From completions to rewards: the gate, the components by name, and the weighted total.

  total = gate * (w_format * (1 - guarded * (1 - left)) + left * sum w * s) / (w_format + sum w)
  left = prod(1 - w_g * (1 - g))

Guards (g) take away from what components (s) pay and pay nothing themselves: a policy cannot earn
by the absence of a cheat. A guard's weight is from 0 (measured, not applied) to 1 (what it refuses
whole earns the format's share alone). That share is out of their reach, so that its gradient stays,
but for `format.guarded` of it, 0 unless a config says so: where no text earns anything else, guards
would be without effect, and of valid texts the one that loops is paid like one that does not.

Whose fault it is, and what it costs, is decided here, once, for every component:
  * a completion that overran its deadline, memory or stack, or killed its worker: 0.0, counted;
  * a paid component that could not score (`Unscored`: a failed judge, the batch's deadline), or a
    correctness of None: total None, counted, and the completion leaves its group. Never paid as wrong;
  * quality None, nothing to measure: left out of numerator and denominator for the whole group; and
    a guard's None takes nothing away;
  * no paid component left in the group: total None;
  * a component of model scope where there is no model: a ConfigError, or left out if it weighs 0;
  * an exception in a component of this package: as a failed judge, and a bug to be mended. In a test
    run, where the environment has REWARDS_STRICT, it is raised;
  * an exception in a plugin: ComponentError, which names the uid and holds the completions.

Components of completion scope can run anywhere (service/ runs them in processes that can be
killed); `Scorer.score` runs everything here, which is right for trusted text and for tests.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
import dataclasses
import logging
import math
import os
import traceback
from typing import Any

from rewards import registry
from rewards.errors import ConfigError
from rewards.errors import Exhausted
from rewards.errors import suggest
from rewards.format import parse
from rewards.schema import Completion
from rewards.schema import Example
from rewards.schema import format_score
from rewards.schema import Model
from rewards.schema import RewardBreakdown
from rewards.schema import Score
from rewards.schema import UnitTests
from rewards.schema import Unscored

_log = logging.getLogger(__name__)

FORMAT = "format"
TOGETHER = ("batch", "group", "model")  # scopes whose components see several completions at once
BUG = "bug"  # the cause of what an exception of our own left unscored
STRICT = "REWARDS_STRICT"


class ComponentError(RuntimeError):
  """A component's own bug: what it raised or returned, the uid, and where it is defined.

  cases: (example, text) of the completions that it was given.
  """

  def __init__(self, message: str, cases: Sequence[tuple[Example, str]] = ()):
    super().__init__(message)
    self.cases = tuple(cases)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Component:
  """A registered reward as one domain uses it. default_weight: before flags changed it."""

  name: str
  spec: registry.Spec
  settings: Mapping[str, Any]
  weight: float
  default_weight: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class DomainRewards:
  """What one domain pays: the format's weight and its components by name.

  format_guarded: the share of the format's weight that guards take from too, from 0 to 1.
  default_format_weight, default_format_guarded: before flags changed them.
  """

  format_weight: float
  default_format_weight: float
  format_guarded: float = 0.0
  default_format_guarded: float = 0.0
  components: Mapping[str, Component]

  @property
  def correctness(self) -> str | None:
    """The component whose score of 1.0 means correct; None where the domain has no truth."""
    return next((c.name for c in self.components.values() if c.spec.kind == "correctness"), None)

  @property
  def guards(self) -> list[Component]:
    """Components that pay nothing and take away."""
    return [c for c in self.components.values() if c.spec.kind == "guard"]

  @property
  def payers(self) -> list[Component]:
    """Components that pay; some may weigh 0."""
    return [c for c in self.components.values() if c.spec.kind != "guard"]


def check(
    rewards: Mapping[str, Any], defaults: Mapping[str, Any] | None = None, *, has_model: bool = False
) -> dict[str, DomainRewards]:
  """Reads `config.rewards` and checks every name, weight and setting; builds nothing.

  Args:
    rewards: {domain: {"format": {"weight": w, "guarded": g}, component: {"weight": w, setting: value} or None}}.
    defaults: the same before flags changed it; None where they are the same.
    has_model: whether there is a model for components that ask one; else they must weigh 0 and are left out.

  Raises:
    ConfigError: with the config path of what is wrong.
  """
  return {
      domain: _check_domain(domain, entries, (defaults or rewards).get(domain, entries), has_model)
      for domain, entries in rewards.items()
  }


def _check_domain(domain: str, entries: Any, defaults: Any, has_model: bool) -> DomainRewards:
  place = f"config.rewards.{domain}"
  if not isinstance(entries, Mapping):
    raise ConfigError(f"{place}={entries!r}: expected components by name, each with a weight.")
  components = {}
  for name, entry in entries.items():
    if name == FORMAT:
      continue
    spec = registry.get(name, domain=domain)
    if entry is None:  # optional, but a name that had to be checked
      continue
    settings = dict(entry) if isinstance(entry, Mapping) else {}
    weight = _weight(entry, f"{place}.{name}")
    if spec.kind == "guard" and weight > 1:
      said = f"{place}.{name}.weight={weight}"
      raise ConfigError(f"{said}: {name!r} is a guard; expected a number from 0 to 1.")
    if spec.scope == "model" and not has_model:
      if weight:
        raise ConfigError(
            f"{place}.{name}.weight={weight}: {name!r} asks the policy's frozen model, which there is in "
            "training alone; expected 0.0, with which it is not scored."
        )
      continue
    settings.pop("weight", None)
    registry.check_settings(spec, settings, f"{place}.{name}")
    if hasattr(spec.function, "check"):
      spec.function.check(settings, f"{place}.{name}")
    components[name] = Component(
        name=name,
        spec=spec,
        settings=settings,
        weight=weight,
        default_weight=_weight(defaults.get(name) or {"weight": 0.0}, f"{place}.{name}"),
    )
  correctness = [c.name for c in components.values() if c.spec.kind == "correctness"]
  if len(correctness) > 1:
    raise ConfigError(f"{place} names {len(correctness)} rewards of kind correctness "
                      f"({', '.join(sorted(correctness))}): expected at most one, which is its accuracy.")
  weight = _weight(entries.get(FORMAT), f"{place}.{FORMAT}")
  for setting in entries[FORMAT]:
    if setting not in ("weight", "guarded"):
      raise ConfigError(f"{place}.{FORMAT}.{setting}: format has no such setting. Accepted: guarded, weight.")
  rewards = DomainRewards(
      format_weight=weight,
      default_format_weight=_weight(defaults.get(FORMAT), f"{place}.{FORMAT}"),
      format_guarded=_guarded(entries[FORMAT], f"{place}.{FORMAT}"),
      default_format_guarded=_guarded(defaults[FORMAT], f"{place}.{FORMAT}"),
      components=components,
  )
  if rewards.format_guarded and not rewards.guards:
    raise ConfigError(f"{place}.{FORMAT}.guarded={rewards.format_guarded:g}: there are no guards; expected 0.")
  if weight + sum(c.weight for c in rewards.payers) == 0:
    raise ConfigError(f"{place}: all weights are 0, so nothing is paid; expected one above 0.")
  return rewards


def _weight(entry: Any, place: str) -> float:
  weight = entry.get("weight") if isinstance(entry, Mapping) else None
  if isinstance(weight, bool) or not isinstance(weight, (int, float)):
    raise ConfigError(f"{place}.weight={weight!r}: expected a number, 0 or more.")
  if not (math.isfinite(weight) and weight >= 0):
    raise ConfigError(f"{place}.weight={weight!r}: expected a finite number, 0 or more.")
  return float(weight)


def _guarded(entry: Mapping[str, Any], place: str) -> float:
  share = entry.get("guarded", 0.0)
  if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 1:
    raise ConfigError(f"{place}.guarded={share!r}: expected a number from 0 to 1.")
  return float(share)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stopped:
  """Stands for the scores of a completion that ran out of something in `component`.

  cause: "deadline", "memory", "recursion", "crash" of the process that scored it, or "sandbox": its
  program killed the sandbox.
  """

  component: str
  cause: str


class Scorer:
  """Scores completions of all configured domains.

  Args:
    rewards, defaults, has_model: as `check` takes them.
    plugins: paths of files that register more components.

  Raises:
    ConfigError: as `check` does.
  """

  def __init__(
      self,
      rewards: Mapping[str, Any],
      *,
      defaults: Mapping[str, Any] | None = None,
      plugins: Sequence[str] = (),
      has_model: bool = False,
  ):
    registry.discover(plugins)
    self.domains = check(rewards, defaults, has_model=has_model)
    self.model: Model | None = None  # what components of model scope ask; until it is set they are Unscored
    self._functions: dict[tuple[str, str], Callable[..., Any]] = {}  # by domain and component
    self._built: dict[tuple[str, str], Callable[..., Any]] = {}  # by component and settings

  def build(self, scopes: Collection[str] = registry.SCOPES) -> None:
    """Builds all components of `scopes` now, so that no completion waits for a library to load."""
    for domain, rewards in self.domains.items():
      for component in rewards.components.values():
        if component.spec.scope in scopes:
          self._function(domain, component)

  def score(
      self,
      examples: Sequence[Example],
      texts: Sequence[str],
      groups: Sequence[int] | None = None,
  ) -> list[RewardBreakdown]:
    """Returns a breakdown for each completion, in order.

    Args:
      examples: [n], the example of each completion (repeated within a group).
      texts: [n], raw completions.
      groups: [n] ids: completions with the same id answered one prompt in one step. None: each
        completion is a group of its own.
    """
    completions = [parse(text) for text in texts]
    groups = range(len(texts)) if groups is None else groups
    alone = [
        self.score_alone(example, completion) if completion.failure is None else {}
        for example, completion in zip(examples, completions, strict=True)
    ]
    together = self.score_together(examples, completions, groups)
    return self.combine(examples, completions, groups, alone, together)

  def score_alone(
      self, example: Example, completion: Completion, announce=None
  ) -> dict[str, float | Unscored | None] | Stopped:
    """Runs the components of completion scope on one valid completion.

    `announce(name)` is called before each, so that a supervisor knows which one overran.
    """
    scores = {}
    for component in self.domain(example).components.values():
      if component.spec.scope == "completion":
        if announce:
          announce(component.name)
        try:
          scores[component.name] = self._run(component, [completion], [example])[0]
        except MemoryError:
          return Stopped(component=component.name, cause="memory")
        except RecursionError:
          return Stopped(component=component.name, cause="recursion")
        except Exhausted as error:
          return Stopped(component=component.name, cause=error.cause)
    return scores

  def score_together(
      self, examples: Sequence[Example], completions: Sequence[Completion], groups: Sequence[int],
      scopes: Collection[str] = TOGETHER,
  ) -> list[dict[str, float | Unscored | None]]:  # fmt: skip
    """Runs the components of `scopes`; returns scores by component for each completion."""
    scores: list[dict[str, float | Unscored | None]] = [{} for _ in completions]
    for name, batch in self.batches(examples, completions, groups, scopes):
      values = self.score_batch(name, [examples[i] for i in batch], [completions[i] for i in batch])
      for i, value in zip(batch, values):
        if completions[i].failure is None:
          scores[i][name] = value
    return scores

  def batches(
      self, examples: Sequence[Example], completions: Sequence[Completion], groups: Sequence[int],
      scopes: Collection[str] = TOGETHER,
  ) -> list[tuple[str, list[int]]]:  # fmt: skip
    """Returns what `score_batch` has to be called with: components and the completions they see."""
    by_domain: dict[str, list[int]] = {}
    for i, example in enumerate(examples):
      by_domain.setdefault(example.domain, []).append(i)
    calls = []
    for indices in by_domain.values():
      by_group: dict[int, list[int]] = {}
      for i in indices:
        by_group.setdefault(groups[i], []).append(i)
      valid = [i for i in indices if completions[i].failure is None]
      for component in self.domain(examples[indices[0]]).components.values():
        scope = component.spec.scope
        if scope not in scopes:
          continue
        batches = by_group.values() if scope == "group" else [valid]
        calls += [(component.name, b) for b in batches if any(completions[i].failure is None for i in b)]
    return calls

  def score_batch(
      self, name: str, examples: Sequence[Example], completions: Sequence[Completion]
  ) -> list[float | Unscored | None]:
    """Runs one component on completions of one domain: on one, if it is of completion scope."""
    component = self.domain(examples[0]).components[name]
    if component.spec.scope == "model" and self.model is None:
      return [Unscored("model", "there is no model at hand")] * len(completions)
    seen = [completion if completion.failure is None else None for completion in completions]
    return self._run(component, seen, list(examples))

  def domain(self, example: Example) -> DomainRewards:
    """Returns what the example's domain pays. Raises ConfigError where config.rewards lacks it."""
    if example.domain not in self.domains:
      raise ConfigError(
          f"{example.uid}: domain {example.domain!r} has no rewards. "
          f"{suggest(example.domain, self.domains)}config.rewards has: {', '.join(sorted(self.domains))}."
      )
    return self.domains[example.domain]

  def _run(self, component: Component, completions: list, examples: list[Example]) -> list:
    function = self._function(examples[0].domain, component)
    try:
      return self._call(function, component, completions, examples)
    except ComponentError as error:
      if STRICT in os.environ or not component.spec.function.__module__.startswith("rewards.domains."):
        raise
      if component.spec.scope in ("batch", "model") and len(completions) > 1:  # the others are not at fault
        return [self._run(component, [c], [e])[0] for c, e in zip(completions, examples)]
      _log.error("%s Not scored.", error, exc_info=error)
      return [Unscored(BUG, str(error))] * len(completions)

  def _call(self, function, component: Component, completions: list, examples: list[Example]) -> list:
    """Calls a component and checks what it returns. Raises ComponentError for whatever is its bug."""
    cases = [(example, c.text) for example, c in zip(examples, completions) if c]
    where = f"reward {component.name!r} ({component.spec.origin})"
    try:
      if component.spec.scope == "completion":
        values = [function(completions[0], examples[0])]
      elif component.spec.scope == "model":
        values = function(completions, examples, self.model)
      else:
        values = function(completions, examples)
    except (ConfigError, Exhausted, MemoryError, RecursionError):
      raise
    except Exception as error:
      place = traceback.extract_tb(error.__traceback__)[-1]
      raise ComponentError(
          f"{where} failed on {examples[0].uid}: {type(error).__name__}: {str(error):.500} "
          f"(line {place.lineno} of {os.path.basename(place.filename)}).", cases
      ) from error
    if wrong := _wrong(values, len(completions)):
      raise ComponentError(f"{where}, {examples[0].uid}: {wrong}", cases)
    return [v if v is None or isinstance(v, (Score, Unscored)) else float(v) for v in values]

  def _function(self, domain: str, component: Component) -> Callable[..., Any]:
    function = self._functions.get((domain, component.name))
    if function is None:
      key = (component.name, repr(sorted(component.settings.items())))  # domains share heavy state
      place = f"config.rewards.{domain}.{component.name}"
      try:
        function = self._built.get(key) or registry.build(component.spec, component.settings, place)
      except ConfigError:
        raise
      except Exception as error:
        raise ComponentError(
            f"{place}: reward {component.name!r} ({component.spec.origin}) could not be built: "
            f"{type(error).__name__}: {error}"
        ) from error
      self._built[key] = self._functions[domain, component.name] = function
    return function

  def combine(
      self,
      examples: Sequence[Example],
      completions: Sequence[Completion],
      groups: Sequence[int],
      alone: Sequence[Mapping[str, float | None] | Stopped],
      together: Sequence[Mapping[str, float | None]],
  ) -> list[RewardBreakdown]:
    """Merges the scores of both kinds of scope into breakdowns, in order."""
    left_out: dict[int, set[str]] = {}
    for example, group, one, many in zip(examples, groups, alone, together, strict=True):
      if not isinstance(one, Stopped):
        components = self.domain(example).components
        missing = {name for name, score in {**one, **many}.items() if score is None}
        qualities = {name for name in missing if components[name].spec.kind == "quality"}
        left_out.setdefault(group, set()).update(qualities)
    return [
        _breakdown(example, self.domain(example), completion, one, many, left_out.get(group, set()))
        for example, completion, group, one, many in zip(examples, completions, groups, alone, together)
    ]


def _breakdown(
    example: Example,
    rewards: DomainRewards,
    completion: Completion,
    alone: Mapping[str, float | None] | Stopped,
    together: Mapping[str, float | None],
    left_out: set[str],
) -> RewardBreakdown:
  truth = None if _without_truth(example) else rewards.correctness
  weights = {FORMAT: rewards.format_weight}
  weights |= {c.name: c.weight for c in rewards.payers if c.name not in left_out}
  default_weights = {FORMAT: rewards.default_format_weight}
  default_weights |= {c.name: c.default_weight for c in rewards.payers if c.name not in left_out}
  guards = {c.name: c.weight for c in rewards.guards}
  common = dict(gate=completion.failure is None, failure=completion.failure, weights=weights, guards=guards)
  if completion.failure or isinstance(alone, Stopped):
    causes = (f"{alone.component}:{alone.cause}",) if isinstance(alone, Stopped) else ()
    return RewardBreakdown(
        scores={}, total=0.0, default_total=0.0, correct=False if truth else None, causes=causes, **common
    )
  values = {**alone, **together}
  unscored = {n: v for n, v in values.items() if v is None or isinstance(v, Unscored)}
  scores = {n: None if n in unscored else v for n, v in values.items()}
  failed = {n for n, v in unscored.items() if v}
  default_guards = {c.name: c.default_weight for c in rewards.guards}
  payers = {c.name for c in rewards.payers if c.weight}
  default_payers = {c.name for c in rewards.payers if c.default_weight}
  return RewardBreakdown(
      scores=scores,
      guard_factor=guard_factor(scores, guards),
      format_guarded=rewards.format_guarded,
      total=_total(scores, failed, weights, guards, payers, rewards.format_guarded),
      default_total=_total(
          scores, failed, default_weights, default_guards, default_payers, rewards.default_format_guarded
      ),
      correct=None if not truth or scores[truth] is None else scores[truth] >= 1.0,
      causes=tuple(
          f"{n}:{s.cause}" for n, s in scores.items() if isinstance(s, Score) and s.cause
      ) + tuple(f"{n}:not_scored" + (f"_{v.cause}" if v else "") for n, v in unscored.items()),
      unscored={n: v.reason if v else "there is nothing to measure" for n, v in unscored.items()},
      **common,
  )


def _without_truth(example: Example) -> bool:
  return isinstance(example.reference, UnitTests) and not example.reference.tests


def guard_factor(scores: Mapping[str, float | None], guards: Mapping[str, float]) -> float:
  """Returns what the guards leave of the payers' sum: the product of 1 - weight * (1 - score)."""
  return math.prod(1 - w * (1 - (1.0 if scores[n] is None else scores[n])) for n, w in sorted(guards.items()))


def _total(
    scores: Mapping[str, float | None],
    failed: set[str],
    weights: Mapping[str, float],
    guards: Mapping[str, float],
    payers: set[str],
    format_guarded: float,
) -> float | None:
  """The weighted mean; "format" scores 1 behind the gate, and guards reach only its share `format_guarded`.

  None: all payers were left out, one that was not is not scored, or a guard failed to score.
  """
  counted = payers & set(weights)
  if (payers and not counted) or any(scores[name] is None for name in counted):
    return None
  if any(guards.get(name) for name in failed):
    return None
  left = guard_factor(scores, guards)
  of_format = format_score(format_guarded, left)
  # Both sums in one order: rounding then never lifts a total above 1.
  paid = sum(w * (of_format if n == FORMAT else left * (scores[n] or 0.0)) for n, w in weights.items())
  offered = sum(weights.values())
  return paid / offered if offered else None


def _wrong(values: Any, count: int) -> str:
  """Returns what is wrong with a component's scores, or ""."""
  if not isinstance(values, Sequence) or len(values) != count:
    return f"expected a list of {count} scores, got {values!r:.200}."
  for value in values:
    number = isinstance(value, (int, float)) or hasattr(value, "__float__")  # numpy scalars pass
    if not (value is None or isinstance(value, Unscored) or number and 0.0 <= float(value) <= 1.0):
      return f"expected a score in [0, 1] or None, got {value!r:.200}."
  return ""
