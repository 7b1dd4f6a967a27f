"""A finished run, or a model's directory, to talk to.

  with Conversation.of_run("runs/seven_domain") as conversation:
    for written in conversation.stream(TRAINED, "Is a whale a fish?"):
      print(written.text)
    row = conversation.rows["gsm8k/main/test/4"]
    conversation.explain(row, completion)      # as `python -m rewards explain` says it

The model reads the prompt that it was trained on, instruction and turns included; each question is
one of its own, as in training: nothing was ever taught about what was said before.
"""

from collections.abc import Iterator, Mapping
import contextlib
import dataclasses
import pathlib

import jax

from reasoner import models
from reasoner.data import loading
from reasoner.data import prompts
from reasoner.data.corpus import EVALUATION
from reasoner.models import lora
from reasoner.models import mesh as mesh_lib
from reasoner.models.tokenizer import Tokenizer
from reasoner.policy import rollout
from reasoner.policy import streaming
from reasoner.run import assemble
from reasoner.run import files
from reasoner.run.workdir import Workdir
from rewards.errors import ConfigError
from rewards.errors import suggest
from rewards.explanation import explain
from rewards.schema import Example
from rewards.schema import Text
from rewards.service import Service

STARTING, TRAINED = "starting model", "trained model"

# What a directory does not say of itself; a run has its own limits.
_MAX_PROMPT_TOKENS, _MAX_NEW_TOKENS = 2048, 512


class Conversation(contextlib.ExitStack):
  """Who can be asked, and what can be asked of them with a known answer.

  speakers: by name, one or two. rows: held-out examples by uid, as the policy reads them; none where
  they are not on this machine, and `note` then says so. limits: tokens of a prompt, and of a completion.
  """

  def __init__(
      self, speakers: Mapping[str, streaming.Writer], tokenizer: Tokenizer, limits: tuple[int, int],
      rows: Mapping[str, Example], note: str = "", scoring: assemble.Rows | None = None,
  ):  # fmt: skip
    super().__init__()
    self.speakers, self.rows, self.note = dict(speakers), dict(rows), note
    self.max_prompt_tokens, self.max_new_tokens = limits
    self._tokenizer, self._scoring, self._service = tokenizer, scoring, None

  @classmethod
  def of_run(cls, path: str | pathlib.Path) -> "Conversation":
    """Opens a finished run: the trained model beside its base, from which an embedded run began.

    Raises:
      ConfigError: no run has finished there.
    """
    workdir = Workdir(path)
    finished = workdir.open()
    speakers = {
        name: streaming.Writer(model, finished.tokenizer, finished.mesh)
        for name, model in ((STARTING, lora.without_adapter(finished.model)), (TRAINED, finished.model))
    }
    limits = finished.settings.rollout.max_prompt_tokens, finished.settings.rollout.max_new_tokens
    try:
      scoring = assemble.assemble_rows(*[files.read_json(workdir.config)] * 2)
      rows, note = _held_out(workdir, scoring, finished.tokenizer)
    except ConfigError as error:
      scoring, rows, note = None, {}, f"Its held-out rows cannot be asked: {error}"
    return cls(speakers, finished.tokenizer, limits, rows, note, scoring)

  @classmethod
  def of_directory(cls, path: str | pathlib.Path) -> "Conversation":
    """Opens a Gemma 3 as Hugging Face lays one out, for example an export.

    Raises:
      ConfigError: there is none.
    """
    source = models.get_source("gemma3", path=str(path))
    source.check()
    mesh = mesh_lib.make_mesh(1, 1)
    model, tokenizer = source.load(mesh, mesh_lib.compute_dtype("auto"), 0), source.load_tokenizer(())
    note = "A model's directory has no rows with it; --workdir names a run, which has."
    writer = streaming.Writer(model, tokenizer, mesh)
    return cls({TRAINED: writer}, tokenizer, (_MAX_PROMPT_TOKENS, _MAX_NEW_TOKENS), {}, note)

  def row(self, uid: str) -> Example:
    """Returns a held-out row. Raises ConfigError where there is no such row, or none at all."""
    if uid not in self.rows:
      raise ConfigError(self.note or f"no row {uid!r} was evaluated. {suggest(uid, self.rows)}")
    return self.rows[uid]

  def stream(
      self, speaker: str, asked: str | Example, *, temperature: float = 0.0, max_new_tokens: int | None = None,
      seed: int = 0,
  ) -> Iterator[streaming.Written]:  # fmt: skip
    """Yields what the speaker has written so far, after each token.

    Args:
      asked: a task in words, or a row.
      temperature: 0 is greedy, as in the evaluation.

    Raises:
      ConfigError: the prompt is longer than any that the model was trained on.
    """
    if isinstance(asked, str):
      asked = Example(uid="chat", domain="", prompt=asked, reference=Text(text=""))
    ids = prompts.Renderer(self._tokenizer)(asked)
    if len(ids) > self.max_prompt_tokens:
      raise ConfigError(
          f"the prompt takes {len(ids):,} tokens with its instruction; expected at most {self.max_prompt_tokens:,}."
      )
    sampling = rollout.Sampling(max_new_tokens=max_new_tokens or self.max_new_tokens, temperature=temperature)
    return self.speakers[speaker](ids, sampling, jax.random.key(seed))

  def explain(self, row: Example, completion: str) -> list[str]:
    """Returns what a completion of a row is paid and why, as lines.

    Raises:
      ConfigError: what its rewards need is missing.
    """
    if self._service is None:
      settings = self._scoring.settings
      scoring = dataclasses.asdict(settings.scoring) | {"num_workers": 1}
      self._service = self.enter_context(
          Service(
              settings.rewards, defaults=self._scoring.default_rewards, plugins=settings.plugins,
              has_model=True, **scoring,  # it had one in training, and says here that there is none
          )
      )
    (breakdown,) = self._service.score([row], [completion])
    return explain(row, breakdown)


def _held_out(
    workdir: Workdir, scoring: assemble.Rows, tokenizer: Tokenizer
) -> tuple[dict[str, Example], str]:
  """Returns the rows that the run was evaluated on by uid, and why there are none."""
  if scoring.data_root is None and any(scoring.settings.data.sources.values()):
    return {}, "Its held-out rows are on the hub and not fetched for a conversation."
  loader = loading.Loader(tuple(scoring.domains), scoring.truths, scoring.settings.seed, quarantine=True)
  for source in scoring.sources:
    for role, rows in source.evaluation.items():
      loader.add_evaluation(source, role, rows)
  loader.add_pools(loader.read_pools(scoring.settings.data.pools), EVALUATION)
  corpus = loader.corpus(scoring.settings.data.evaluation_sets)
  by_uid = {example.uid: example for example in corpus.examples()}
  fitter = prompts.Fitter(tokenizer=tokenizer, max_tokens=scoring.settings.rollout.max_prompt_tokens)
  asked = [by_uid.get(record["uid"]) for record in files.read_lines(workdir.after)]
  read = [fitter.fit(example) for example in asked if example]
  return {example.uid: example for example in read if example}, ""
