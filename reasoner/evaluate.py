"""Greedy evaluation on held-out prompts: accuracy beside format compliance, with n, by domain.

  python -m reasoner.evaluate --workdir=runs/seven_domain --output=science.jsonl --domains=science --rows=400
  python -m reasoner.evaluate --workdir=runs/seven_domain --output=starting.jsonl --starting

evaluates a finished run's model, or the one that it started from, on more of the held-out rows than the run
did; the run itself calls `Evaluator`. One record, a line of `evaluation_before.jsonl`:

  {"set": "held_out", "domain": "math", "uid": "gsm8k/main/test/4", "prompt": "...", "reference": "5",
   "reference_label": null, "completion": "<reasoning>...", "gate": true, "failure": null,
   "correct": false, "total": 0.2, "scores": {"math_answer": 0.0}, "tokens": 61, "truncated": false, ...}

`reference_label` is the letter of a multiple choice's right option.

An accuracy claim that is really a format claim cannot hide here: `accuracy` counts a completion
without valid format as wrong, `accuracy_given_format` counts valid ones alone.
"""

import argparse
import collections
from collections.abc import Callable, Mapping, Sequence
import dataclasses
import functools
import pathlib
import sys
import tempfile
from typing import Any

import jax

from reasoner import data
from reasoner import models
from reasoner.data import prompts
from reasoner.data.corpus import Corpus
from reasoner.data.corpus import EVALUATION
from reasoner.data.corpus import HELD_OUT
from reasoner.models import lora
from reasoner.policy import grpo
from reasoner.reporting import records as records_lib
from reasoner.run import assemble
from reasoner.run import budget
from reasoner.run import files
from reasoner.run import progress
from reasoner.run.settings import Settings
from reasoner.run.workdir import Workdir
from rewards.errors import ConfigError
from rewards.schema import Example
from rewards.scorer import ComponentError
from rewards.service import Service
from rewards.service import WorkerError

SAMPLE_ROWS = 16  # a domain, of the small sample that is evaluated during training


def evaluate(
    policy: grpo.Policy, service: Service, sets: Mapping[str, Sequence[Example]], render: prompts.Renderer,
    sampling: grpo.Sampling, batch_size: int, done: Callable[[int], None] = lambda batches: None,
) -> list[dict[str, Any]]:  # fmt: skip
  """Returns a record for each example of each set.

  Args:
    service: scores completions.
    sets: examples by the name of their set.
    render: Example -> token ids of its prompt.
    sampling: greedy.
    batch_size: completions a call; the last call is filled up, so that nothing recompiles.
    done: told after each call how many are written.
  """
  rows = [(name, example) for name, examples in sets.items() for example in examples]
  pending = []
  for first in range(0, len(rows), batch_size):
    batch = rows[first : first + batch_size]
    prompts = [render(example) for _, example in batch]
    filled = prompts + [prompts[0]] * (batch_size - len(batch))
    rollout = policy.generate(filled, sampling, jax.random.key(0))
    examples = [example for _, example in batch]
    scores = service.submit(examples, rollout.texts[: len(batch)], list(range(len(batch))))
    pending.append((batch, rollout, scores))
    done(len(pending))
  records = []
  for batch, rollout, scores in pending:
    for i, ((name, example), breakdown) in enumerate(zip(batch, scores.result())):
      records.append({
          "set": name,
          "domain": example.domain,
          "uid": example.uid,
          "prompt": example.prompt,
          "reference": example.reference.text,
          "reference_label": getattr(example.reference, "label", None),
          "completion": rollout.texts[i],
          "tokens": int(rollout.lengths[i]),
          "truncated": bool(rollout.truncated[i]),
          **records_lib.as_record(breakdown),
      })
  return records


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluator:
  """The evaluations of a run: all held-out rows before and after, a small sample of them in between.

  limit: how many rows a domain there is time for.
  keep: writes the adapter as it is now into a directory.
  """

  policy: grpo.Policy
  service: Service
  corpus: Corpus
  render: prompts.Renderer
  settings: Settings
  workdir: Workdir
  clock: progress.Clock
  limit: budget.Budget
  keep: Callable[[pathlib.Path], None]

  def whole(self, path: pathlib.Path) -> None:
    """Evaluates on all held-out rows and writes the records, unless that is done."""
    if path.exists():
      return
    if not self.limit.decided("evaluation"):
      self.limit.decide_evaluation(self._seconds(), self._calls)
    sets = self._sets(self.limit.evaluation_rows)
    with progress.Progress("evaluation", 0, self._calls(self.limit.evaluation_rows)) as bar:
      found = self._evaluate(sets, bar.update)
    self.workdir.claim()
    files.write_lines(path, found)
    self.clock.save()
    earlier = files.read_lines(self.workdir.before) if path != self.workdir.before else None
    too_long = prompts.too_long(self.corpus, {EVALUATION, *self.corpus.evaluation_sets})
    lines = records_lib.table(
        records_lib.summarize(found), path.name, earlier and records_lib.summarize(earlier)
    )
    changed = records_lib.changes(earlier or (), found)
    worse = [f"warning: {sentence}" for sentence in records_lib.lost(changed)]
    print("\n".join([*lines, *records_lib.overall(changed), *too_long, *worse]), flush=True)

  @functools.cached_property
  def sample_share(self) -> float:
    """How much of an evaluation of all held-out rows the small sample's is."""
    whole = self._sets(self.limit.evaluation_rows)
    return len(self._sample()) / max(1, sum(map(len, whole.values())))

  def begin(self, start: int, last: int) -> None:
    """Takes up the sample's evaluations at a step: later ones come again, and one that is missing now."""
    if not self.settings.train.evaluate_every:
      return
    files.keep_steps(self.workdir.evaluations, below=start + 1)
    if start in [row["step"] for row in files.read_lines(self.workdir.evaluations)]:
      return
    if start:
      self.during(start, last)
    else:  # all rows were just evaluated
      own = {(example.uid, example.domain) for example in self._sample()}
      before = files.read_lines(self.workdir.before)
      self._note(0, [r for r in before if r["set"] == HELD_OUT and (r["uid"], r["domain"]) in own])

  def during(self, step: int, last: int) -> None:
    """Evaluates the sample where it is time after `step` of `last` steps; keeps the adapter if it is the best."""
    every = self.settings.train.evaluate_every
    if every and (step % every == 0 or step == last):
      self._note(step, self._evaluate({HELD_OUT: self._sample()}))

  def _note(self, step: int, found: Sequence[Mapping[str, Any]]) -> None:
    statistics = records_lib.summarize(found)
    row: dict[str, Any] = {
        domain: {field: own[field] for field in ("n", "reward", "format", "accuracy")}
        for domain, own in statistics.items()
    }
    best = records_lib.best_of(files.read_lines(self.workdir.evaluations))
    if best is None or (row["all"]["reward"] or 0.0) > best["all"]["reward"]:
      self.keep(self.workdir.best)
    files.append_line(self.workdir.evaluations, {"step": step, **row})

  def _sample(self) -> list[Example]:
    return self._sets(min(SAMPLE_ROWS, self.limit.evaluation_rows))[HELD_OUT]

  def _sets(self, rows: int) -> dict[str, list[Example]]:
    """Returns the first so many rows of each domain that the config's sample has."""
    sets = self.corpus.sets(self.settings.data.evaluation_rows)
    first = {}
    for name, examples in sets.items():
      seen = collections.Counter()
      first[name] = []
      for example in examples:
        seen[example.domain] += 1
        first[name] += [example] if seen[example.domain] <= rows else []
    return first

  def _calls(self, rows: int) -> int:
    return -(-sum(map(len, self._sets(rows).values())) // self.settings.evaluated_at_once)

  def _seconds(self) -> list[float]:
    """Returns what the same batch of all domains takes, each time."""
    rows = self._sets(self.settings.data.evaluation_rows)[HELD_OUT]
    batch = rows[:: max(1, -(-len(rows) // self.settings.evaluated_at_once))]
    return budget.timed(lambda: self._evaluate({HELD_OUT: batch}))

  def _evaluate(
      self, sets: Mapping[str, Sequence[Example]], done: Callable[[int], None] = lambda batches: None
  ) -> list[dict[str, Any]]:
    greedy = grpo.Sampling(max_new_tokens=self.settings.rollout.max_new_tokens)
    with self.clock.phase("evaluation"):
      return evaluate(self.policy, self.service, sets, self.render, greedy, self.settings.evaluated_at_once, done)


def evaluate_finished(
    workdir: pathlib.Path, *, starting: bool = False, rows: int | None = None, domains: Sequence[str] = ()
) -> tuple[list[dict[str, Any]], Corpus]:
  """Returns the records of a finished run's model on its held-out and further sets, and their corpus.

  The rows are drawn, read and scored as the run would have: rewards that ask the frozen reference, which
  a finished run no longer has, are not scored.

  Args:
    starting: take the model as it was before the run.
    rows: a domain, at most; None: as the run's config.data.evaluation_rows. Another number is another sample.
    domains: None but these; all where there are none.

  Raises:
    ConfigError: no run has finished there, its rows are not found, or a domain is not its.
  """
  run = Workdir(workdir)
  finished = run.open()
  config = files.read_json(run.config)
  asked = assemble.assemble_rows(config, config)
  if unknown := sorted(set(domains) - set(asked.domains)):
    raise ConfigError(f"--domains={unknown[0]}: the run has {', '.join(sorted(asked.domains))}.")
  settings, rollout = finished.settings, finished.settings.rollout
  print("Loading rows ...", flush=True)
  with tempfile.TemporaryDirectory() as scratch, Service(
      settings.rewards, defaults=asked.default_rewards, plugins=settings.plugins, has_model=True,
      **dataclasses.asdict(settings.scoring),
  ) as service:  # fmt: skip
    corpus = asked.load_rows(pathlib.Path(scratch, "quarantine.jsonl"))
    corpus = data.check_gold(
        corpus, service, rewards=asked.domains, cache_path=models.cache_directory() / "gold.txt"
    )
    fitter = prompts.Fitter(tokenizer=finished.tokenizer, max_tokens=rollout.max_prompt_tokens)
    corpus = fitter.drop_too_long(corpus)
    count = settings.data.evaluation_rows if rows is None else rows
    uids = {example.uid for examples in corpus.sets(count).values() for example in examples}
    corpus, _ = fitter.cut(corpus, uids)
    sets = {
        name: [example for example in examples if not domains or example.domain in domains]
        for name, examples in corpus.sets(count).items()
    }
    policy = grpo.Policy(
        lora.without_adapter(finished.model) if starting else finished.model, finished.tokenizer, finished.mesh,
        max_prompt_tokens=rollout.max_prompt_tokens, max_new_tokens=rollout.max_new_tokens,
    )  # fmt: skip
    greedy, at_once = grpo.Sampling(max_new_tokens=rollout.max_new_tokens), settings.evaluated_at_once
    with progress.Progress("evaluation", 0, -(-sum(map(len, sets.values())) // at_once)) as bar:
      render = prompts.Renderer(finished.tokenizer)
      return evaluate(policy, service, sets, render, greedy, at_once, bar.update), corpus


def by_source(records: Sequence[Mapping[str, Any]], corpus: Corpus) -> list[dict[str, Any]]:
  """Returns the records under their data sets and splits, "ai2_arc ARC-Easy/test", in place of domains."""
  return [r | {"domain": " ".join(corpus.origins[r["uid"]][2:])} for r in records]


def main(arguments: list[str] | None = None) -> int:
  """Runs the command and returns its exit status."""
  parser = argparse.ArgumentParser(
      prog="python -m reasoner.evaluate", description=__doc__, allow_abbrev=False,
      formatter_class=argparse.RawDescriptionHelpFormatter,
  )  # fmt: skip
  parser.add_argument("--workdir", type=pathlib.Path, required=True, help="a finished run")
  parser.add_argument("--output", type=pathlib.Path, required=True, help="the records, a line each")
  parser.add_argument("--starting", action="store_true", help="the model as it was before training")
  parser.add_argument("--rows", type=int, help="of each domain, at most (default: as the run had)")
  parser.add_argument("--domains", default="", help="some, with commas between them (default: all)")
  options = parser.parse_args(arguments)
  try:
    if options.rows is not None and options.rows < 1:
      raise ConfigError(f"--rows={options.rows}: expected 1 or more.")
    if options.output.is_dir() or not options.output.parent.is_dir():
      raise ConfigError(f"--output={options.output}: expected a file in a directory that exists.")
    domains = options.domains.split(",") if options.domains else ()
    found, corpus = evaluate_finished(
        options.workdir, starting=options.starting, rows=options.rows, domains=domains
    )
    files.write_lines(options.output, found)
    for name in dict.fromkeys(record["set"] for record in found):
      print("\n".join(records_lib.table(records_lib.summarize(found, name), name)))
      print("\n".join(records_lib.table(records_lib.summarize(by_source(found, corpus), name), "by source")))
  except (ConfigError, ComponentError, WorkerError) as error:
    print(f"error: {error}", file=sys.stderr)
    return 2
  return 0


if __name__ == "__main__":
  sys.exit(main())
