"""Runs the tasks of this folder on directories of weights, by the LM Evaluation Harness.

  judge({"starting": base, "exported": export}, data=DATA, tasks=["arc_easy"], limit=100)
      ->  [{"task": "arc_easy", "metric": "acc_norm", "n": 100, "starting": [0.58, 0.05], "exported": ...}]

Nothing of the model is ours here: transformers loads the directory, its tokenizer and its chat template.
"""

from collections.abc import Mapping, Sequence
import contextlib
import logging
import pathlib
from typing import Any

from rewards.errors import ConfigError
from rewards.errors import suggest

FOLDER = pathlib.Path(__file__).parent
TASKS = tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))
WRITTEN = ("gsm8k", "mbpp")  # in the chat template; the others are judged by likelihood, without any
_PREFIX = "reasoner_"


def check(tasks: Sequence[str], data: pathlib.Path) -> None:
  """Raises ConfigError where a task, its file or the harness is missing; a second at most."""
  import importlib.util

  import yaml

  for name in tasks:
    if name not in TASKS:
      raise ConfigError(f"--tasks: unknown task {name!r}. {suggest(name, TASKS)}Accepted: {', '.join(TASKS)}.")
    text = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8").replace("!function", "")
    (file,) = yaml.safe_load(text)["dataset_kwargs"]["data_files"].values()
    if not (data / file).is_file():
      raise ConfigError(f"--data={data} has no {file}, which {name} is judged on; --tasks leaves a task out.")
  missing = [name for name in ("lm_eval", "torch", "transformers") if importlib.util.find_spec(name) is None]
  if missing:
    raise ConfigError(f"the outside judge needs {', '.join(missing)}: pip install 'reasoner[harness]'.")


def judge(
    models: Mapping[str, pathlib.Path], *, data: pathlib.Path, tasks: Sequence[str], limit: int | None,
    batch_size: int = 8,
) -> list[dict[str, Any]]:  # fmt: skip
  """Returns a row for each task and metric, with [value, standard error] by model.

  Args:
    models: directories by name; one is loaded at a time.
    limit: the first so many rows of each task; None for all.
  """
  from lm_eval import evaluator
  from lm_eval import tasks as tasks_lib
  from lm_eval.models import huggingface
  import torch

  logging.getLogger("lm_eval").setLevel(logging.WARNING)
  device = "cuda" if torch.cuda.is_available() else "cpu"
  found: dict[tuple[str, str], dict[str, Any]] = {}
  for model, directory in models.items():
    loaded = huggingface.HFLM(
        str(directory.absolute()), device=device, dtype="float32", batch_size=batch_size
    )
    with contextlib.chdir(data):  # the tasks name their files from there
      manager = tasks_lib.TaskManager(include_path=str(FOLDER), include_defaults=False)
      for written in (False, True):
        names = [name for name in tasks if (name in WRITTEN) == written]
        if not names:
          continue
        print(f"{model}: {', '.join(names)} ...", flush=True)
        results = evaluator.simple_evaluate(
            loaded, tasks=[_PREFIX + name for name in names], task_manager=manager, limit=limit,
            apply_chat_template=written, bootstrap_iters=100, log_samples=False,
        )  # fmt: skip
        for name in names:
          own, n = results["results"][_PREFIX + name], results["n-samples"][_PREFIX + name]["effective"]
          for metric, value, error in _values(own):
            row = found.setdefault((name, metric), {"task": name, "metric": metric, "n": n})
            row[model] = [value, error]
    del loaded
  return list(found.values())


def _values(results: Mapping[str, Any]):
  """Yields (metric, value, standard error or None) of what the harness calls `acc_norm,none`."""
  for key, value in results.items():
    metric, _, reader = key.partition(",")
    if reader and not metric.endswith("_stderr"):
      error = results.get(f"{metric}_stderr,{reader}")
      name = reader if metric == "exact_match" else metric
      yield name, float(value), float(error) if isinstance(error, (int, float)) else None


def table(rows: Sequence[Mapping[str, Any]], models: Sequence[str]) -> list[str]:
  """Returns the rows as lines to print."""
  from rewards.explanation import columns

  def cell(value):
    return "-" if value is None else f"{value[0]:.3f}" + ("" if value[1] is None else f" ± {value[1]:.3f}")

  head = ("task", "metric", "n", *models)
  return columns([head, *((r["task"], r["metric"], str(r["n"]), *(cell(r.get(m)) for m in models)) for r in rows)])
