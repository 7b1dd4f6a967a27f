r"""The embedded model: Tunix's own Gemma 3, small and untrained, with a vocabulary of its own.

  source = Embedded()
  tokenizer = source.load_tokenizer(texts)  # a vocabulary learned from the run's own rows
  model = source.load(mesh, dtype, seed=0)

0.5 M parameters that two CPU cores can train in minutes. It exists so that the default run needs no
download; `cold_start.py` teaches it everything that it will ever know. The architecture is Gemma 3's
to the last detail (one key/value head, post-norms, rotary positions, tied embedding), so whatever
runs on it runs on the real one.
"""

from collections.abc import Iterable
import io
import pathlib
from typing import Any
from typing import TYPE_CHECKING

from reasoner.data import prompts
from reasoner.models import doors
from reasoner.models import gemma3
from reasoner.models import pretrained
from reasoner.models.family import License
from reasoner.models.tokenizer import Tokenizer
from rewards import format as output_format

if TYPE_CHECKING:
  from jax.sharding import Mesh
  from tunix.models.gemma3.model import Gemma3
  from tunix.models.gemma3.model import ModelConfig

# Gemma's conventions for the first three ids; <end_of_turn> is looked up by its name.
PAD_ID, EOS_ID, BOS_ID, UNKNOWN_ID = 0, 1, 2, 3
VOCABULARY_SIZE = 1280

# Every step pays for every token, and the instruction is in every prompt: what surrounds the task is
# two pieces. Turn marks and tags are pieces too, which no text can be split into by accident.
_TURNS = gemma3.TURNS
_BEFORE_TASK, _AFTER_TASK = prompts.template(_TURNS).split("{task}")
_PIECES = (
    _TURNS.start,
    _TURNS.end,
    *output_format.TAGS,
    _BEFORE_TASK.rstrip().replace(" ", "▁"),  # the space is left to the task's first word
    _AFTER_TASK.removeprefix(_TURNS.end),
    "\n",
)
# Written prompts may hold any of these, also where no training text did.
_REQUIRED_CHARACTERS = "".join(map(chr, range(33, 127))) + "…"


class Embedded:
  """The source `config.model.name = "embedded"`.

  Args:
    path: the `base` that an earlier run left, to start from what its cold start taught. None: nothing.
  """

  family = gemma3
  name, hub, base = "embedded", "", ""
  license = License(
      name="apache-2.0",
      kaggle="Apache 2.0",
      title="Apache License 2.0",
      url="https://www.apache.org/licenses/LICENSE-2.0",
  )

  def __init__(self, path: str | None = None):
    self.path = path and pathlib.Path(path).expanduser()
    self.from_nothing, self.place = path is None, path or ""

  def check(self) -> None:
    """Raises ConfigError where `path` holds no model."""
    if self.path:
      doors.Local(str(self.path)).check()
      gemma3.check_directory(self.path)
      self.tokenizer_at_hand()

  def origin(self) -> dict[str, str]:
    """Returns what a run records of where its model came from."""
    origin = {"model": "the embedded model of this project", "model_license": self.license.text}
    if not self.path:
      return origin | {"model": f"{origin['model']}, which starts from nothing"}
    return origin | {"model_place": str(self.path), "model_sha256": pretrained.sha256(self.path)}

  def load_tokenizer(self, texts: Iterable[str]) -> Tokenizer:
    """Returns the vocabulary of `path`, or one learned from `texts`; see `train_tokenizer`."""
    return self.tokenizer_at_hand() or train_tokenizer(texts)

  def tokenizer_at_hand(self) -> Tokenizer | None:
    """Returns the vocabulary of `path`; None where it is learned when a run begins."""
    return gemma3.tokenizer(self.path / "tokenizer.model") if self.path else None

  def outline(self, dtype: Any) -> "ModelConfig":
    """Returns the architecture, with nothing learned."""
    return config(VOCABULARY_SIZE, dtype)

  def load(self, mesh: "Mesh", dtype: Any, seed: int) -> "Gemma3":
    """Returns the model of `path`, or an untrained one with weights drawn from `seed`, on the mesh."""
    from reasoner.models import mesh as mesh_lib

    if self.path:
      return _with_flat_products(gemma3.load_directory(self.path, mesh, dtype))
    mesh_lib.check_fits(config(VOCABULARY_SIZE, dtype), mesh)
    return mesh_lib.place(build(VOCABULARY_SIZE, seed, dtype), mesh)


def train_tokenizer(texts: Iterable[str], vocabulary_size: int = VOCABULARY_SIZE) -> Tokenizer:
  """Returns a byte-pair vocabulary of `texts`; the same texts give the same vocabulary.

  Digits are pieces of their own, white space is kept as it is, and there is no dummy prefix, so
  that decode(encode(text)) == text for printable ASCII. Other characters become <unk> unless the
  texts hold them.

  Raises:
    RuntimeError: (SentencePiece) the texts are too few for so many pieces.
  """
  import sentencepiece

  serialized = io.BytesIO()
  sentencepiece.SentencePieceTrainer.train(
      sentence_iterator=iter(texts),
      model_writer=serialized,
      model_type="bpe",
      vocab_size=vocabulary_size,
      pad_id=PAD_ID,
      eos_id=EOS_ID,
      bos_id=BOS_ID,
      unk_id=UNKNOWN_ID,
      user_defined_symbols=list(_PIECES),
      required_chars=_REQUIRED_CHARACTERS,
      split_digits=True,
      normalization_rule_name="identity",
      remove_extra_whitespaces=False,
      add_dummy_prefix=False,
      num_threads=1,
      minloglevel=2,
  )
  return Tokenizer(serialized.getvalue(), _TURNS)


def config(vocabulary_size: int, dtype: Any) -> "ModelConfig":
  """Returns the architecture. Heads and vocabulary divide by 4, so that it also runs on a mesh."""
  from tunix.models.gemma3 import model as tunix_gemma3

  return tunix_gemma3.ModelConfig(
      num_layers=2,
      num_embed=vocabulary_size,
      embed_dim=128,
      hidden_dim=512,
      num_heads=4,
      head_dim=32,
      num_kv_heads=1,
      sliding_window_size=4096,  # both layers are "local" in Gemma 3's pattern: let them see it all
      param_dtype=dtype,
  )


def build(vocabulary_size: int, seed: int, dtype: Any) -> "Gemma3":
  """Returns an untrained model whose weights are a function of `seed`.

  Tunix leaves the feed-forward kernels at zero, where neither they nor their gate ever receive a
  gradient, and draws all others with a deviation of 0.01, made for loading a checkpoint over them.
  Here every matrix starts with variance 1 / inputs.
  """
  from flax import nnx
  import jax
  from tunix.models.gemma3 import model as tunix_gemma3

  model = tunix_gemma3.Gemma3(config(vocabulary_size, dtype), rngs=nnx.Rngs(seed))
  key = jax.random.key(seed)
  for number, (path, parameter) in enumerate(nnx.iter_graph(model)):
    if not isinstance(parameter, nnx.Param) or parameter.value.ndim < 2:
      continue
    value = parameter.value
    inputs = _inputs(path, value.shape)
    parameter.value = jax.random.normal(jax.random.fold_in(key, number), value.shape, value.dtype) / inputs**0.5
  return _with_flat_products(model)


def _with_flat_products(model: "Gemma3") -> "Gemma3":
  for layer in model.layers:
    for linear in (layer.mlp.gate_proj, layer.mlp.up_proj, layer.mlp.down_proj):
      linear.dot_general = _flat_dot_general
  return model


def _flat_dot_general(x, kernel, dimension_numbers, **settings):
  """The product over the last axis as one of two matrices: XLA's CPU gradient is twice as fast."""
  import jax

  assert dimension_numbers == (((x.ndim - 1,), (0,)), ((), ()))
  flat = x.reshape(-1, x.shape[-1])
  product = jax.lax.dot_general(flat, kernel, (((1,), (0,)), ((), ())), **settings)
  return product.reshape(*x.shape[:-1], kernel.shape[-1])


def _inputs(path: tuple, shape: tuple[int, ...]) -> int:
  """How many inputs each output of a matrix sums over."""
  if "attn_vec_einsum" in path:  # [heads, head_dim, features]
    return shape[0] * shape[1]
  if "input_embedding" in path:  # [vocabulary, features], tied: scaled by sqrt(features) when read
    return shape[1]
  return shape[-2]  # [.., features, head_dim] and [inputs, outputs]
