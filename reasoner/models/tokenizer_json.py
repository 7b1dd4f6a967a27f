"""A SentencePiece vocabulary as tokenizer.json and its companions: what transformers and vLLM read.

  write(Path("export"), tokenizer, chat_template=TEMPLATE)
  # tokenizer.model, tokenizer.json, tokenizer_config.json, special_tokens_map.json, chat_template.jinja

SentencePiece's byte-pair encoding joins the two neighbours whose union is the best-scored piece;
here each way to split a piece into two is a merge, ranked by the piece's score. BOS is switched on:
without it a Gemma is a far worse model.
"""

import json
from pathlib import Path

from reasoner.models.tokenizer import Tokenizer

_SPACE = "▁"


def write(directory: Path, tokenizer: Tokenizer, *, chat_template: str) -> None:
  """Writes the files into an existing directory."""
  from sentencepiece import sentencepiece_model_pb2

  model = sentencepiece_model_pb2.ModelProto.FromString(tokenizer.proto)
  (directory / "tokenizer.model").write_bytes(tokenizer.proto)
  pieces = model.pieces
  roles = {
      f"{role}_token": pieces[i].piece
      for role, i in (
          ("bos", tokenizer.bos_id()), ("eos", tokenizer.eos_id()), ("pad", tokenizer.pad_id()),
          ("unk", model.trainer_spec.unk_id),
      )
  }  # fmt: skip
  settings = roles | {
      "tokenizer_class": "PreTrainedTokenizerFast",  # tokenizer.json as it stands
      "add_bos_token": True,
      "add_eos_token": False,
      "clean_up_tokenization_spaces": False,
      "model_input_names": ["input_ids", "attention_mask"],
      "padding_side": "left",
  }
  for name, value in (
      ("tokenizer.json", tokenizer_json(model, tokenizer)),
      ("tokenizer_config.json", settings),
      ("special_tokens_map.json", roles),
  ):
    (directory / name).write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
  (directory / "chat_template.jinja").write_text(chat_template, encoding="utf-8")


def tokenizer_json(model, tokenizer: Tokenizer) -> dict:
  """Returns tokenizer.json of a SentencePiece ModelProto that knows no prefix space and no normalisation."""
  kinds = type(model.pieces[0]).Type
  bos, unknown = tokenizer.bos_id(), model.pieces[model.trainer_spec.unk_id].piece
  added = []
  for i, piece in enumerate(model.pieces):
    if piece.type in (kinds.NORMAL, kinds.BYTE):
      continue
    in_texts = piece.type == kinds.USER_DEFINED
    added.append({
        "id": i, "content": piece.piece, "single_word": False, "lstrip": False, "rstrip": False,
        "normalized": in_texts,  # found where spaces are "▁" already, the longest first
        "special": not in_texts or piece.piece in (tokenizer.turns.start, tokenizer.turns.end),
    })  # fmt: skip
  first = model.pieces[bos].piece
  start = {"SpecialToken": {"id": first, "type_id": 0}}
  return {
      "version": "1.0",
      "truncation": None,
      "padding": None,
      "added_tokens": added,
      "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": _SPACE},
      "pre_tokenizer": None,
      "post_processor": {
          "type": "TemplateProcessing",
          "single": [start, {"Sequence": {"id": "A", "type_id": 0}}],
          "pair": [start, {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
          "special_tokens": {first: {"id": first, "ids": [bos], "tokens": [first]}},
      },
      "decoder": {
          "type": "Sequence",
          "decoders": [
              {"type": "Replace", "pattern": {"String": _SPACE}, "content": " "},
              {"type": "ByteFallback"},
              {"type": "Fuse"},
          ],
      },
      "model": {
          "type": "BPE",
          "dropout": None,
          "unk_token": unknown,
          "continuing_subword_prefix": None,
          "end_of_word_suffix": None,
          "fuse_unk": True,
          "byte_fallback": model.trainer_spec.byte_fallback,
          "ignore_merges": False,
          "vocab": {piece.piece: i for i, piece in enumerate(model.pieces)},
          "merges": _merges(model, kinds),
      },
  }


def _merges(model, kinds) -> list[list[str]]:
  """Returns every split of a normal piece into two, the best-scored pieces' first."""
  normal = {piece.piece: piece.score for piece in model.pieces if piece.type == kinds.NORMAL}
  ranked = sorted(normal, key=normal.get, reverse=True)
  return [
      [piece[:i], piece[i:]]
      for piece in ranked
      for i in range(1, len(piece))
      if piece[:i] in normal and piece[i:] in normal
  ]
