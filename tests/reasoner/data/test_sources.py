import pathlib
import subprocess
import sys

import pytest

from reasoner import data
from rewards.errors import ConfigError

MATH = {"math": {"gsm8k": {"train": ("train",), "evaluation": ("test",)}}}


@pytest.fixture
def root(tmp_path):
  """A folder with the two files that MATH names, unreadable as rows."""
  folder = tmp_path / "openai__gsm8k/main"
  folder.mkdir(parents=True)
  for split in ("train", "test"):
    (folder / f"{split}.jsonl").write_text("{broken")
  return str(tmp_path)


@pytest.mark.parametrize(
    "change, sentence",
    [
        ({"sources": {"maths": {}}}, "sources.maths: unknown domain 'maths'. Did you mean 'math'"),
        ({"sources": {"math": {"gsm8": {}}}}, "unknown data set 'gsm8'. Did you mean 'gsm8k'"),
        ({"sources": {"math": {"sciq": {"train": ("train",)}}}}, "sciq feeds science, not"),
        ({"sources": {"math": {"gsm8k": {"trian": ("train",)}}}}, "Did you mean 'train'"),
        ({"sources": {"math": {"gsm8k": {"train": "train"}}}}, "train='train': expected a tuple"),
        ({"sources": {"math": {"gsm8k": {}}}}, "names no split"),
        ({"sources": {"math": {"gsm8k": {"train": ("tain",)}}}}, "'tain'.*Did you mean 'train'"),
        ({"sources": {"math": {"gsm8k": {"train": ("test",)}}}}, "test rows of gsm8k are for"),
        (
            {"sources": {"math": {"gsm8k": {"train": ("train",), "evaluation": ("train",)}}}},
            "'train' is named for train and for evaluation",
        ),
        ({"sources": {"math": {"gsm8k": {"train": ("train",), "limit": 0}}}}, "limit=0: expected"),
        (
            {"sources": {"math": {"gsm8k": {"train": ("train",), "configs": ("man",)}}}},
            "configs names 'man'. Did you mean 'main'",
        ),
        (
            {"sources": {"science": {"sciq": {"train": ("train",), "support": 1}}}},
            "sciq.support=1: expected bool",
        ),
        ({"sources": {}}, "domain 'math' of config.rewards has no rows"),
        ({"root": "nowhere"}, "config.data.root='nowhere'"),
        ({"pools": ("nowhere.jsonl",)}, "pools names 'nowhere.jsonl', which is not a file"),
        ({"pools": "pool.jsonl"}, "config.data.pools='pool.jsonl': expected a tuple"),
        ({"evaluation_sets": {"far": {"mbpp": ("x",)}}}, "sets.far names data set 'mbpp'"),
        ({"evaluation_sets": {"far": {"gsm8k": ("x",)}}}, "evaluation_sets.far.gsm8k names 'x'"),
        ({"evaluation_sets": {"train": {"gsm8k": ("test",)}}}, "'train' is taken"),
        ({"evaluation_sets": {"far": {"gsm8k": ("train",)}}}, "named for train and for far"),
    ],
)
def test_a_mistake_in_the_config_is_one_sentence(root, change, sentence):
  arguments = {"sources": MATH, "root": root, "domains": ("math", "science")} | change
  if "science" not in arguments["sources"]:
    arguments["domains"] = ("math",)
  with pytest.raises(ConfigError, match=sentence):
    data.check(arguments.pop("sources"), **arguments)


def test_an_unknown_split_of_the_hub_is_found_before_anything_is_downloaded():
  sources = {"math": {"gsm8k": {"train": ("train",), "evaluation": ("tets",)}}}
  with pytest.raises(ConfigError, match="names split 'tets'. Did you mean 'test'"):
    data.check(sources, domains=("math",))


def test_mbpp_test_rows_are_refused_in_training():
  with pytest.raises(ConfigError, match="mbpp.train names 'test'"):
    data.check({"coding": {"mbpp": {"train": ("train", "test")}}}, domains=("coding",))


def test_a_file_that_no_config_names_may_be_missing(root):
  (pathlib.Path(root) / "openai__gsm8k/main/test.jsonl").unlink()
  data.check({"math": {"gsm8k": {"train": ("train",)}}}, domains=("math",), root=root)
  with pytest.raises(ConfigError, match="gsm8k.evaluation names 'test'"):
    data.check(MATH, domains=("math",), root=root)


def test_an_entry_of_none_switches_a_data_set_off(root):
  sources = MATH | {"science": {"sciq": None}}
  pool = str(pathlib.Path(root) / "openai__gsm8k/main/train.jsonl")
  plan = data.check(sources, domains=("math", "science"), root=root, pools=(pool,))
  assert [source.dataset.name for source in plan] == ["gsm8k"]


def test_checking_a_config_neither_reads_rows_nor_imports_heavy_libraries(root):
  code = (
      "import sys; from reasoner import data; "
      f"data.check({MATH!r}, domains=('math',), root={root!r}); "
      "print([m for m in ('datasets', 'pyarrow', 'numpy', 'jax') if m in sys.modules])"
  )
  done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
  assert done.stdout.strip() == "[]"
