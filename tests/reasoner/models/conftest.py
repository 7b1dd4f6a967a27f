"""A SentencePiece model with Gemma's special ids, small enough to train in each session."""

import io

import pytest


@pytest.fixture(scope="session")
def gemma_like_proto() -> bytes:
  import sentencepiece

  stream = io.BytesIO()
  sentencepiece.SentencePieceTrainer.train(
    sentence_iterator=iter(["nine sheep stay in the field", "how many sheep ran away"] * 4),
    model_writer=stream,
    model_type="bpe",
    vocab_size=64,
    hard_vocab_limit=False,
    pad_id=0,
    eos_id=1,
    bos_id=2,
    unk_id=3,
    user_defined_symbols=["<start_of_turn>", "<end_of_turn>", "\n"],
    normalization_rule_name="identity",
    remove_extra_whitespaces=False,
    add_dummy_prefix=False,
    minloglevel=2,
  )
  return stream.getvalue()
