"""A run in a bucket: fetched when it begins, sent with each result, whole again after a kill."""

import pathlib

import pytest

from reasoner.run import progress
from reasoner.run import remote
from reasoner.run.workdir import Workdir
from rewards.errors import ConfigError


@pytest.fixture
def bucket(monkeypatch):
  """gs://, in memory: etils reads and writes it as it does a real one, through fsspec."""
  from etils import epath
  from etils.epath import backend
  from fsspec.implementations import memory

  class Bucket(memory.MemoryFileSystem):
    protocol = "gs"
    store, pseudo_dirs = {}, [""]

    @classmethod
    def _strip_protocol(cls, path):
      return super()._strip_protocol(str(path).removeprefix("gs://"))

  system = Bucket()
  monkeypatch.setattr(backend._FileSystemSpecBackend, "fs", lambda self, path: system)
  monkeypatch.setattr(epath.gpath, "_is_tf_installed", lambda: False)
  monkeypatch.setattr(remote.importlib.util, "find_spec", lambda name: name)
  return remote.path_of("gs://bucket/run")


def contents(path):
  if not path.exists():
    return {}
  own = {}
  for child in path.iterdir():
    own |= (
        {f"{child.name}/{name}": text for name, text in contents(child).items()}
        if child.is_dir() else {child.name: child.read_text()}
    )  # fmt: skip
  return own


def test_a_run_is_sent_with_each_result_and_goes_on_from_there(bucket):
  run = Workdir(bucket)
  assert run.config == bucket / "config.json" and not run.has_results
  with run.lock() as workdir:
    assert isinstance(workdir.path, pathlib.Path) and workdir.path != bucket
    clock = progress.Clock(workdir.seconds, goes_on=False, saved=workdir.carry)
    step = workdir.checkpoints("grpo") / "1"
    step.mkdir(parents=True)
    (step / "arrays").write_text("one")
    workdir.metrics.write_text("0\n")
    assert contents(bucket) == {}  # nothing is a result yet
    clock.save()
    assert set(contents(bucket)) == {"checkpoints/grpo/1/arrays", "metrics.jsonl", "seconds.json"}
    workdir.metrics.write_text("0\n1\n")
  assert not workdir.path.exists() and run.has_results
  assert contents(bucket)["metrics.jsonl"] == "0\n1\n"  # an end in order sends the rest

  with run.lock() as workdir:
    assert contents(workdir.path) == contents(bucket)
    (workdir.checkpoints("grpo") / "1" / "arrays").unlink()
    (workdir.checkpoints("grpo") / "2").mkdir()
    (workdir.checkpoints("grpo") / "2" / "arrays").write_text("two")
    workdir.summary.write_text("{}")
  assert {name for name in contents(bucket) if "arrays" in name} == {"checkpoints/grpo/2/arrays"}
  assert "summary.json" in contents(bucket)


def test_what_says_that_all_is_there_is_sent_last_and_the_old_stays_until_then(tmp_path):
  local, far = tmp_path / "local", tmp_path / "far"
  local.mkdir()
  own = remote.Remote(far, local)
  own.pull()
  for name in ("summary.json", "checkpoints/grpo/1/arrays", "samples.jsonl", "adapter/README.md"):
    (local / name).parent.mkdir(parents=True, exist_ok=True)
    (local / name).write_text(name)
  own.push()
  sent = sorted((path for path in far.rglob("*") if path.is_file()), key=lambda path: path.stat().st_mtime_ns)
  assert [str(path.relative_to(far)) for path in sent] == [
      "adapter/README.md", "samples.jsonl", "checkpoints/grpo/1/arrays", "summary.json"
  ]  # fmt: skip

  (local / "checkpoints/grpo/1/arrays").unlink()
  (local / "samples.jsonl").write_text("more")

  class Cut(Exception):
    pass

  def cut(*_):
    raise Cut

  (local / "summary.json").write_text("other")
  own.path = type("Far", (), {"__truediv__": lambda _, name: cut()})()
  with pytest.raises(Cut):
    own.push()
  assert (far / "checkpoints/grpo/1/arrays").exists()  # a kill while it sends leaves the old result whole
  own.path = far
  own.push()
  assert not (far / "checkpoints/grpo/1/arrays").exists() and (far / "samples.jsonl").read_text() == "more"


def test_a_scheme_nobody_reads_and_a_package_that_is_missing_are_sentences(monkeypatch):
  assert remote.path_of("runs/mine") == pathlib.Path("runs/mine")
  with pytest.raises(ConfigError, match="--workdir=ftp://a/b: accepted: a directory, or gs://, s3://, az://"):
    remote.path_of("ftp://a/b")
  monkeypatch.setattr(remote.importlib.util, "find_spec", lambda name: None)
  with pytest.raises(ConfigError, match="--workdir=gs://a/b needs the Python package gcsfs: pip install gcsfs"):
    remote.path_of("gs://a/b")
