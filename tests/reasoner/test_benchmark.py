"""What the benchmark says before it measures, and the tokenizer that it lends to TRL."""

import sys

import pytest

from reasoner import benchmark
from tests.reasoner.conftest import CharacterTokenizer


def test_trl_that_is_not_installed_is_said_in_one_sentence(monkeypatch):
  monkeypatch.setattr(benchmark.importlib.util, "find_spec", lambda name: None)
  monkeypatch.setattr(sys, "argv", ["benchmark", "--model=embedded", "--against=trl"])
  with pytest.raises(SystemExit, match="error: --against=trl: TRL is not installed here; pip install trl."):
    benchmark.main()


def test_trl_s_tokenizer_gives_the_ids_of_ours_with_a_bos():
  pytest.importorskip("transformers")
  ours = CharacterTokenizer()
  theirs = benchmark._pieces(ours)
  assert theirs("solve 1+1")["input_ids"] == [ours.bos_id(), *ours.encode("solve 1+1")]
  assert (theirs.pad_token_id, theirs.eos_token_id) == (ours.pad_id(), ours.eos_id())
