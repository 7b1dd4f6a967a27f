"""python -m reasoner.export --workdir=runs/seven_domain --output=export [--gguf=Q8_0|BF16 | --evidence]

A finished run, taken home: a Hugging Face directory with the adapter merged in, which transformers, vLLM
and llama.cpp's own converter read; --gguf adds one file for llama.cpp and a Modelfile for Ollama.
--evidence writes no model but what others check the run by, without its data sets' texts (reporting/evidence.py).
--push_to_hub=owner/name and --push_to_kaggle=owner/model/framework/variation send it there, too.

It asks as the model was trained: BOS is switched on, and the chat template writes the instruction.
An output that exists is refused, never written to; one appears only when it is whole.
"""

import json
import pathlib
import sys
import tempfile

from absl import app
from absl import flags
from absl import logging

from reasoner.data import prompts
from reasoner.models import gguf_write
from reasoner.models import hugging_face
from reasoner.models import publish
from reasoner.models import tokenizer_json
from reasoner.reporting import card
from reasoner.reporting import evidence
from reasoner.run import files
from reasoner.run.workdir import Finished
from reasoner.run.workdir import Workdir
from rewards.errors import ConfigError

CARD, NOTICE, MODELFILE = "README.md", "NOTICE", "Modelfile"


def main(argv: list[str]) -> None:
  logging.set_verbosity(logging.WARNING)
  try:
    if argv[1:]:
      raise ConfigError(
          f"{argv[1]!r} is no flag; accepted: --workdir, --output, --gguf, --evidence, "
          "--push_to_hub, --push_to_kaggle."
      )
    for name, example in (("workdir", "runs/seven_domain"), ("output", "export")):
      if not flags.FLAGS[name].value:
        raise ConfigError(f"--{name} is missing; try --{name}={example}.")
    targets = [publish.Hub(flags.FLAGS.push_to_hub)] if flags.FLAGS.push_to_hub else []
    targets += [publish.Kaggle(flags.FLAGS.push_to_kaggle)] if flags.FLAGS.push_to_kaggle else []
    workdir, output = pathlib.Path(flags.FLAGS.workdir), pathlib.Path(flags.FLAGS.output)
    export(workdir, output, flags.FLAGS.gguf, targets, flags.FLAGS.evidence)
  except ConfigError as error:
    sys.stderr.write(f"error: {error}\n")
    sys.exit(2)


def export(
    workdir: pathlib.Path, output: pathlib.Path, gguf: str | None = None, targets: list[publish.Target] = (),
    only_evidence: bool = False,
) -> None:  # fmt: skip
  """Writes a finished run's model into a new directory, and sends it where it shall go.

  Args:
    gguf: one of gguf_write.TYPES, or None for no such file.
    only_evidence: write evidence.py's directory, with the licence's notice, and no model.

  Raises:
    ConfigError: the output exists, no run has finished in the work directory, or a server refuses.
  """
  if output.exists() or output.is_symlink():
    raise ConfigError(f"--output={output} exists: name a new directory.")
  if gguf and gguf not in gguf_write.TYPES:
    raise ConfigError(f"--gguf={gguf}: accepted: {', '.join(gguf_write.TYPES)}.")
  if only_evidence and (gguf or targets):
    raise ConfigError("--evidence writes no model: leave out --gguf and --push_to_*.")
  if gguf:
    gguf_write.check()
  for target in targets:
    target.prepare()
  run = Workdir(workdir)
  print(f"Opening {workdir} ...", flush=True)
  finished = run.open()
  output.parent.mkdir(parents=True, exist_ok=True)
  with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}-") as scratch:
    whole = pathlib.Path(scratch, output.name)  # a page is titled by its directory
    if only_evidence:
      evidence.write(run, whole)
    else:
      write(whole, finished, run, gguf)
    write_notice(whole, finished)
    whole.rename(output)
  print(f"{output}: {', '.join(sorted(path.name for path in output.iterdir()))}")
  for target in targets:
    print(f"Uploading to {target.place} ...", flush=True)
    target.upload(output, finished.source.license)


def write(directory: pathlib.Path, finished: Finished, run: Workdir, gguf: str | None) -> None:
  """Writes all files of an export into a directory, made here."""
  settings, tokenizer, license = finished.settings, finished.tokenizer, finished.source.license
  rollout, template = settings.rollout, prompts.template(tokenizer.turns)
  chat_template = prompts.chat_template(tokenizer.turns)
  weights = hugging_face.merged(finished.model, settings.model.lora)
  config = hugging_face.config_of(finished.model, tokenizer)
  hugging_face.write_weights(directory, weights, config)
  tokenizer_json.write(directory, tokenizer, chat_template=chat_template)
  generation = {  # as it was evaluated
      **{key: config[key] for key in ("bos_token_id", "eos_token_id", "pad_token_id")},
      "do_sample": False,
      "max_new_tokens": rollout.max_new_tokens,
  }
  (directory / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n", encoding="utf-8")
  name = None
  if gguf:
    name = f"model-{gguf}.gguf"
    gguf_write.write(
        directory / name, gguf, weights, config, tokenizer,
        name=finished.settings.model.name, license=license.name, chat_template=chat_template,
    )  # fmt: skip
    modelfile = _MODELFILE.format(
        name=name, license=license.text, end=tokenizer.turns.end, tokens=rollout.max_new_tokens,
        context=max(2048, rollout.max_prompt_tokens + rollout.max_new_tokens),
        template=template.replace("{task}", "{{ if .System }}{{ .System }}\n\n{{ end }}{{ .Prompt }}"),
    )  # fmt: skip
    (directory / MODELFILE).write_text(modelfile, encoding="utf-8")
  page = card.write(
      settings, files.read_json(run.summary),
      base=finished.source.hub, origin=finished.origin, license=license, template=template, gguf=name,
  )  # fmt: skip
  (directory / CARD).write_text(page, encoding="utf-8")


def write_notice(directory: pathlib.Path, finished: Finished) -> None:
  license = finished.source.license
  (directory / NOTICE).write_text(
      f"The weights in this directory are provided under and subject to: {license.title}, {license.url}\n"
      f"They were modified from {finished.origin} by fine-tuning.\n",
      encoding="utf-8",
  )


_MODELFILE = '''\
FROM ./{name}
TEMPLATE """{template}{{{{ .Response }}}}"""
PARAMETER stop {end}
PARAMETER temperature 0
PARAMETER num_ctx {context}
PARAMETER num_predict {tokens}
LICENSE """{license}"""
'''


if __name__ == "__main__":
  flags.DEFINE_string("workdir", None, "Where the finished run lives.")
  flags.DEFINE_string("output", None, "A directory that does not exist yet.")
  flags.DEFINE_string("gguf", None, f"Also a GGUF file: {' or '.join(gguf_write.TYPES)}.")
  flags.DEFINE_bool("evidence", False, "What others check the run by, without its data sets' texts; no model.")
  flags.DEFINE_string("push_to_hub", None, "owner/name on huggingface.co.")
  flags.DEFINE_string("push_to_kaggle", None, "owner/model/framework/variation on Kaggle.")
  app.run(main, flags_parser=lambda argv: flags.FLAGS(argv, known_only=True))
