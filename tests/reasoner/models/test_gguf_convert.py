"""The conversion, on GGUF files written here."""

import json

import numpy as np
import pytest

gguf = pytest.importorskip("gguf", reason="gguf comes with the extra [gemma270m]")

from reasoner.models import gemma3  # noqa: E402
from reasoner.models import gguf_convert  # noqa: E402

WIDTH, HIDDEN, HEAD = 32, 64, 32
SPECIAL = ["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>", "\n", "  "]
BYTES = [f"<0x{i:02X}>" for i in range(256)]
TOKENS = [*SPECIAL, *BYTES, "a", "b", "▁", "ab", "▁ab"]
CONTROL, NORMAL, USER_DEFINED, BYTE = 3, 1, 4, 6  # GGUF's numbers
KINDS = [CONTROL] * 6 + [USER_DEFINED] * 2 + [BYTE] * 256 + [NORMAL] * 5
SCORES = [-1000.0] * 8 + [0.0] * 256 + [-3.0, -3.0, -3.0, -1.0, -2.0]


def write_gguf(path, architecture="gemma3"):
  """Writes a one-layer model with weights near 1; returns its tensors by GGUF name."""
  rng = np.random.default_rng(0)
  writer = gguf.GGUFWriter(path, architecture)
  writer.add_context_length(128)
  writer.add_embedding_length(WIDTH)
  writer.add_block_count(1)
  writer.add_feed_forward_length(HIDDEN)
  writer.add_head_count(4)
  writer.add_head_count_kv(1)
  writer.add_key_length(HEAD)
  writer.add_rope_freq_base(1_000_000.0)
  writer.add_sliding_window(16)
  writer.add_tokenizer_model("llama")
  writer.add_token_list(TOKENS)
  writer.add_token_scores(SCORES)
  writer.add_token_types(KINDS)
  writer.add_pad_token_id(0)
  writer.add_eos_token_id(1)
  writer.add_bos_token_id(2)
  writer.add_unk_token_id(3)
  shapes = {
    "token_embd": [len(TOKENS), WIDTH],
    "output_norm": [WIDTH],
    "blk.0.attn_norm": [WIDTH],
    "blk.0.attn_q": [4 * HEAD, WIDTH],
    "blk.0.attn_k": [HEAD, WIDTH],
    "blk.0.attn_v": [HEAD, WIDTH],
    "blk.0.attn_q_norm": [HEAD],
    "blk.0.attn_k_norm": [HEAD],
    "blk.0.attn_output": [WIDTH, 4 * HEAD],
    "blk.0.post_attention_norm": [WIDTH],
    "blk.0.ffn_norm": [WIDTH],
    "blk.0.ffn_gate": [HIDDEN, WIDTH],
    "blk.0.ffn_up": [HIDDEN, WIDTH],
    "blk.0.ffn_down": [WIDTH, HIDDEN],
    "blk.0.post_ffw_norm": [WIDTH],
  }
  tensors = {}
  for name, shape in shapes.items():
    value = tensors[name] = rng.normal(1, 0.3, shape).astype(np.float32)
    if len(shape) == 1:
      writer.add_tensor(f"{name}.weight", value)
    else:
      kind = gguf.GGMLQuantizationType.Q8_0
      writer.add_tensor(f"{name}.weight", gguf.quantize(value, kind), raw_dtype=kind)
  writer.write_header_to_file()
  writer.write_kv_data_to_file()
  writer.write_tensors_to_file()
  writer.close()
  return tensors


@pytest.fixture(name="converted")
def _converted(tmp_path, monkeypatch):
  monkeypatch.setattr(gguf_convert, "_ROWS_AT_ONCE", 100)  # several pieces a tensor
  tensors = write_gguf(tmp_path / "tiny.gguf")
  gguf_convert.convert(tmp_path / "tiny.gguf", tmp_path / "tiny")
  return tmp_path / "tiny", tensors


def test_a_converted_directory_is_one_that_the_loader_accepts(converted):
  gemma3.check_directory(converted[0])


def test_weights_keep_their_values_and_norms_lose_the_one_that_gguf_adds(converted):
  from safetensors.numpy import load_file

  directory, tensors = converted
  weights = load_file(directory / "model.safetensors")
  assert {value.dtype for value in weights.values()} == {np.dtype("float32")}
  np.testing.assert_array_equal(
    weights["model.layers.0.post_feedforward_layernorm.weight"],
    tensors["blk.0.post_ffw_norm"] - 1,
  )
  np.testing.assert_array_equal(weights["model.norm.weight"], tensors["output_norm"] - 1)
  for name, original in (
    ("model.embed_tokens", "token_embd"),
    ("model.layers.0.self_attn.q_proj", "blk.0.attn_q"),
    ("model.layers.0.mlp.down_proj", "blk.0.ffn_down"),
  ):
    # Q8_0 keeps 8 bits of the largest of 32 values: off by at most max / 127 / 2, and max < 2.6.
    np.testing.assert_allclose(weights[f"{name}.weight"], tensors[original], atol=2.6 / 254)


def test_the_configuration_is_that_of_the_file(converted):
  config = json.loads((converted[0] / "config.json").read_text())
  assert (config["hidden_size"], config["intermediate_size"], config["head_dim"]) == (32, 64, 32)
  assert (config["num_attention_heads"], config["num_key_value_heads"]) == (4, 1)
  assert (config["rope_theta"], config["sliding_window"]) == (1_000_000, 16)


def test_turn_markers_become_pieces_that_text_can_hold_and_the_first_three_stay_control(converted):
  tokenizer = gemma3.tokenizer(converted[0] / "tokenizer.model")
  assert tokenizer.encode("<start_of_turn>ab\n<end_of_turn>") == [4, TOKENS.index("ab"), 6, 5]
  assert tokenizer.bos_id() not in tokenizer.encode("<bos>")
  assert tokenizer.eos_ids == (1, 5)


def test_no_space_is_put_before_a_text_and_unknown_letters_become_bytes(converted):
  tokenizer = gemma3.tokenizer(converted[0] / "tokenizer.model")
  assert tokenizer.encode("ab ab") == [TOKENS.index("ab"), TOKENS.index("▁ab")]
  assert tokenizer.encode("é") == [TOKENS.index("<0xC3>"), TOKENS.index("<0xA9>")]
  assert tokenizer.decode(tokenizer.encode(" ab é")) == " ab é"


def test_a_run_of_spaces_is_the_piece_that_the_vocabulary_has_for_it(converted):
  tokenizer = gemma3.tokenizer(converted[0] / "tokenizer.model")
  assert tokenizer.encode("a  ab") == [TOKENS.index("a"), TOKENS.index("  "), TOKENS.index("ab")]
  assert tokenizer.decode(tokenizer.encode("a  ab")) == "a  ab"


def test_another_architecture_is_refused(tmp_path):
  write_gguf(tmp_path / "tiny.gguf", architecture="llama")
  with pytest.raises(ValueError, match="architecture 'llama'"):
    gguf_convert.convert(tmp_path / "tiny.gguf", tmp_path / "tiny")
