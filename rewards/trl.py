"""These rewards inside of other trainers: a function with the signature of TRL's reward functions.

  trainer = GRPOTrainer(..., reward_funcs=as_trl({"math": {"format": {"weight": 0.2},
                                                           "math_answer": {"weight": 0.8}}}))

The data set has the columns of a pool row: `prompt` (text or messages) and `answer`, and where
they differ by row `domain`, `metadata`, `uid`. The prompt must ask for the output format; a column
`task` holds the bare question, for rewards that compare with it, where the prompt says more. verl
and others take the same function. Not here: anything of TRL, which is not imported.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rewards.errors import ConfigError
from rewards.rows import example_from_row
from rewards.rows import plain
from rewards.schema import Example
from rewards.service import Service

_COLUMNS = ("uid", "domain", "answer", "metadata", "reward_model")


def as_trl(
    rewards: Mapping[str, Any],
    *,
    domain: str | None = None,
    plugins: Sequence[str] = (),
    **settings: Any,
) -> Callable[..., list[float | None]]:
  """Returns `reward(prompts, completions, **columns) -> list of totals`, for TRL's GRPOTrainer.

  Args:
    rewards: as `Scorer` takes them, such as a recipe's `config.rewards.to_dict()`.
    domain: the domain of rows without a `domain` column; not needed where `rewards` has only one.
    plugins: paths of files that register more rewards.
    **settings: of Service, such as num_workers or completion_timeout_seconds.

  Returns:
    A function. Completions are text or lists of messages, of which the last one counts. Neighbours
    with the same row are a group. A total that is None stays None, which TRL leaves out. Workers
    start at once; `close()` of the function ends them, as does the end of the program.

  Raises:
    ConfigError: a name, weight or setting cannot be used; on calling, a row.
  """
  if domain is None and len(rewards) == 1:
    (domain,) = rewards
  service = Service(rewards, plugins=plugins, **settings)

  def reward(prompts, completions, **columns) -> list[float | None]:
    examples, groups, previous = [], [], None
    for i, prompt in enumerate(prompts):
      row = {name: columns[name][i] for name in _COLUMNS if columns.get(name) is not None}
      row = {"domain": domain, **row, "prompt": columns["task"][i] if "task" in columns else _text(prompt)}
      row = plain(row)
      if row != previous:  # the generations of one prompt stand side by side
        example, previous = _example(service, row, f"row {i} of the batch"), row
      examples.append(example)
      groups.append(id(example))
    breakdowns = service.score(examples, [_text(completion) for completion in completions], groups)
    return [breakdown.total for breakdown in breakdowns]

  reward.__name__ = "reasoner_reward"  # what TRL calls it in its logs
  reward.close = service.close
  return reward


def _example(service: Service, row: Mapping[str, Any], place: str) -> Example:
  known = service.domains.get(row["domain"]) if isinstance(row["domain"], str) else None
  return example_from_row(row, place, truth=bool(known and known.correctness))


def _text(messages: Any) -> str:
  """Returns the text of a prompt or completion: itself, or the last message's content; "" for none."""
  if isinstance(messages, str) or messages is None:
    return messages or ""
  try:
    content = messages[-1]["content"]
    if isinstance(content, str) or content is None:
      return content or ""
    return "".join(part["text"] for part in content if part.get("type", "text") == "text")
  except (TypeError, KeyError, IndexError, AttributeError):
    raise ConfigError(f"{messages!r:.200} is neither text nor a list of messages with content.") from None
