"""A SentencePiece model as the prompts, Tunix's sampler and the reports all use it.

    tokenizer = Tokenizer(Path("tokenizer.model").read_bytes(), gemma3.TURNS)
    tokenizer.encode("<start_of_turn>user\\n")  # Gemma 3: [105, 2364, 107]

It adds no special token and applies no chat template: `data/prompts.py` writes the turns out.
(Tunix's adapter has a template of its own for bare SentencePiece models, which drops system text.)
"""

from collections.abc import Iterable

from reasoner.data.prompts import Turns
from rewards.errors import ConfigError


class Tokenizer:
  """Text to ids and back; also has the methods that Tunix's TokenizerAdapter asks for.

  Attributes:
    proto: the serialized SentencePiece model; what a checkpoint or an export writes out.
    turns: how the model's family marks who speaks.
    vocab_size: number of pieces.
    eos_ids: the ids that end a completion: end of text and end of turn (Gemma: 1 and 106).
  """

  def __init__(self, proto: bytes, turns: Turns, place: str = "tokenizer"):
    """Reads a serialized SentencePiece model; `place` is where it was read, for a person to read.

    Raises:
      ConfigError: it is none, the turn markers are not single pieces, or an id that training needs is
        missing.
    """
    import sentencepiece

    self.proto = proto
    self.turns = turns
    self._processor = sentencepiece.SentencePieceProcessor()
    try:
      self._processor.LoadFromSerializedProto(proto)  # the constructor would take b"" for no model to load
    except RuntimeError:
      raise ConfigError(
          f"{place}: {len(proto)} bytes that begin {proto[:16]!r} are no SentencePiece model; fetch it again."
      ) from None
    self.vocab_size = self._processor.vocab_size()
    for marker in (turns.start, turns.end):
      if len(self.encode(marker)) != 1:
        raise ConfigError(f"{place}: {marker!r} is not one token; the model's own tokenizer is needed.")
    for name, token_id in (("bos", self.bos_id()), ("eos", self.eos_id()), ("pad", self.pad_id())):
      if token_id < 0:
        raise ConfigError(f"{place}: it has no {name} token; the model's own tokenizer is needed.")
    self.eos_ids = (self.eos_id(), *self.encode(turns.end))

  def encode(self, text: str) -> list[int]:
    """Returns the ids of the text, turn markers as single ids, without BOS or EOS."""
    return self._processor.encode(text)

  def decode(self, ids: Iterable[int]) -> str:
    """Returns the text; pad, BOS and EOS are silent, every other id shows.

    An id beyond the vocabulary (an embedding table can be padded beyond it, and sampling can draw
    from the padding) shows as the unknown piece; SentencePiece alone would raise.
    """
    unknown = self._processor.unk_id()
    return self._processor.decode([int(i) if i < self.vocab_size else unknown for i in ids])

  def bos_id(self) -> int:
    """Returns the id that opens every prompt."""
    return self._processor.bos_id()

  def eos_id(self) -> int:
    """Returns the id of end of text; a chat turn ends with either of `eos_ids`."""
    return self._processor.eos_id()

  def pad_id(self) -> int:
    """Returns the id that fills a batch."""
    return self._processor.pad_id()

  def __reduce__(self):
    return Tokenizer, (self.proto, self.turns)
