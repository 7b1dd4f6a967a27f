"""The tokenizer wrapper, on a SentencePiece model with Gemma's special ids."""

import pickle

import pytest

from reasoner.models import gemma3
from reasoner.models import get_source
from reasoner.models.tokenizer import Tokenizer
from rewards.errors import ConfigError
from tests.reasoner.models import shrunken


@pytest.fixture(name="tokenizer")
def _tokenizer(gemma_like_proto):
  return Tokenizer(gemma_like_proto, gemma3.TURNS)


def test_turn_markers_are_single_ids_and_nothing_is_added_around_them(tokenizer):
  ids = tokenizer.encode("<start_of_turn>nine sheep<end_of_turn>")
  assert (ids[0], ids[-1]) == (4, 5)  # the first two pieces after <unk>
  assert tokenizer.bos_id() not in ids and tokenizer.eos_id() not in ids
  assert tokenizer.decode(ids) == "<start_of_turn>nine sheep<end_of_turn>"


def test_end_of_text_and_end_of_turn_both_end_a_completion(tokenizer):
  assert tokenizer.eos_ids == (1, 5)


def test_white_space_survives_a_round_trip(tokenizer):
  for text in (" nine", "nine  sheep ", "\nnine\n\nsheep\n"):
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_padding_and_bos_are_silent_when_decoded(tokenizer):
  assert tokenizer.decode([0, 0, 2, *tokenizer.encode("nine"), 1]) == "nine"


def test_an_id_beyond_the_vocabulary_shows_as_unknown_instead_of_raising(tokenizer):
  beyond = tokenizer.decode([*tokenizer.encode("nine"), tokenizer.vocab_size + 7])
  assert beyond == tokenizer.decode([*tokenizer.encode("nine"), 3])
  assert beyond.startswith("nine") and len(beyond) > len("nine")


def test_a_pickled_tokenizer_encodes_the_same(tokenizer):
  copy = pickle.loads(pickle.dumps(tokenizer))
  assert copy.encode("nine sheep") == tokenizer.encode("nine sheep")
  assert copy.turns == tokenizer.turns == gemma3.TURNS


def test_tunix_accepts_it_and_prepends_one_bos(tokenizer):
  from tunix.generate.tokenizer_adapter import TokenizerAdapter

  adapter = TokenizerAdapter(tokenizer)
  assert (adapter.bos_id(), adapter.eos_id(), adapter.pad_id()) == (2, 1, 0)
  assert adapter.dedup_bos_ids([2, *adapter.encode("nine")]) == [2, *tokenizer.encode("nine")]


def test_a_tokenizer_without_the_turn_markers_is_refused(gemma_like_proto):
  with pytest.raises(ConfigError, match="'<end_of_turn>' is not one token"):
    Tokenizer(gemma_like_proto.replace(b"<end_of_turn>", b"<ene_of_turn>"), gemma3.TURNS)


@pytest.mark.parametrize(
  "content",
  [b"", b"<!doctype html><html></html>", bytes(range(256)), "cut"],
  ids=["empty", "page", "garbage", "cut"],
)
@pytest.mark.parametrize("name", ["gemma3", "embedded"])
def test_a_file_that_is_no_sentencepiece_model_is_refused_at_the_check_and_where_it_is_read(
  tmp_path, gemma_like_proto, name, content
):
  directory = shrunken.write(tmp_path / "tiny", gemma_like_proto)
  content = gemma_like_proto[: len(gemma_like_proto) // 2] if content == "cut" else content
  (directory / "tokenizer.model").write_bytes(content)
  source = get_source(name, path=str(directory))
  # The second alone is what curate calls, without a check.
  for read in (source.check, source.tokenizer_at_hand, lambda: source.load_tokenizer(())):
    with pytest.raises(ConfigError, match="are no SentencePiece model; fetch it again") as refused:
      read()
    begins = f"{directory / 'tokenizer.model'}: {len(content)} bytes that begin {content[:16]!r}"
    assert str(refused.value).startswith(begins)
