"""Who may import whom, read from the source; and that `import rewards` is light."""

import ast
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]


def imported(path, everywhere):
  """Yields the top-level names of the packages that a file imports; at module level, or everywhere."""
  tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
  nodes = list(ast.walk(tree)) if everywhere else list(_module_level(tree))
  for node in nodes:
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
    if isinstance(node, ast.ImportFrom):
      names = [node.module if not node.level else "." * node.level]
    yield from (name.split(".")[0] for name in names)


def _module_level(tree):
  """Everything that runs on import: all but the bodies of functions."""
  for node in ast.iter_child_nodes(tree):
    yield node
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
      yield from _module_level(node)


def sources(folder):
  paths = sorted((ROOT / folder).rglob("*.py"))
  assert paths, folder
  return [pytest.param(path, id=str(path.relative_to(ROOT))) for path in paths]


@pytest.mark.parametrize("path", sources("rewards"))
def test_rewards_is_a_leaf_on_the_standard_library(path):
  assert set(imported(path, everywhere=False)) <= sys.stdlib_module_names | {"rewards"}
  assert not {"jax", "jaxlib", "flax", "tunix", "reasoner", "experiments"} & set(imported(path, everywhere=True))


@pytest.mark.parametrize("path", sources("experiments"))
def test_experiments_import_ml_collections_and_each_other_alone(path):
  assert set(imported(path, everywhere=True)) <= {"ml_collections", "experiments"}


@pytest.mark.parametrize("path", sources("reasoner"))
def test_reasoner_imports_no_experiment_and_no_test(path):
  assert not {"experiments", "tests"} & set(imported(path, everywhere=True))


@pytest.mark.parametrize("path", sources("reasoner"))
def test_of_tunix_only_its_models_and_what_it_exports_are_used(path):
  """What Tunix does not export moves from version to version; the benchmark's other side alone may follow it."""
  if path.name == "benchmark.py":
    return
  for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
    names += [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
    for name in names:
      assert not name.startswith("tunix.") or name.startswith("tunix.models"), f"{path} imports {name}"


# From the floor up: a room imports its own floor's files of the same room, and the floors below.
FLOORS = {
    "rewards": (
        {"errors", "schema", "format", "registry", "settings"},
        {"measures", "reading", "sandbox"},
        {"attacks", "domains"},
        {"scorer"},
        {"service"},
        {"__init__", "__main__", "attack", "benchmark", "explanation", "output", "recipes", "rows", "trl"},
    ),
    "reasoner": (
        {"data"},
        {"processes"},
        {"models", "policy"},
        {"run"},
        {"reporting"},
        {
            "__init__", "ablate", "attack", "benchmark", "chat", "compare", "curate", "evaluate", "export",
            "harness", "main", "notebook", "plan", "train",
        },  # fmt: skip
    ),
}


def _rooms_imported(path, package):
  """Yields the rooms of `package` that a file imports, anywhere in it."""
  for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
    if isinstance(node, ast.ImportFrom) and node.module == package:
      names = [f"{package}.{alias.name}" for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
      names = [node.module]
    yield from (name.split(".")[1] for name in names if name.startswith(f"{package}."))


@pytest.mark.parametrize("path", sources("rewards") + sources("reasoner"))
def test_imports_only_go_down(path):
  package, *rest = path.relative_to(ROOT).with_suffix("").parts
  floor_of = {room: floor for floor, rooms in enumerate(FLOORS[package]) for room in rooms}
  room = rest[0]
  assert room in floor_of, f"{room} has no floor: give it one in FLOORS"
  for name in set(_rooms_imported(path, package)):
    # A name that `rewards/__init__` re-exports is the door's own.
    floor = floor_of.get(name, len(FLOORS[package]) - 1)
    own_floor_of_doors = floor == floor_of[room] == len(FLOORS[package]) - 1 or floor_of[room] == floor == 0
    assert name == room or floor < floor_of[room] or own_floor_of_doors, f"{path} imports {package}.{name}"


def test_importing_rewards_loads_no_heavy_library_and_takes_no_tenth_of_a_second():
  # CPU time, the best of five: what else the machine does is not this package's.
  program = (
      "import sys, time; start = time.process_time(); import rewards; "
      "print(time.process_time() - start, *sorted({m.split('.')[0] for m in sys.modules}))"
  )
  runs = [
      subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
      for _ in range(5)
  ]
  assert min(float(seconds) for seconds, *_ in runs) < 0.1
  loaded = set(runs[0][1:])
  assert not {"jax", "numpy", "sympy", "torch", "ml_collections", "rouge_score"} & loaded


def test_every_module_can_be_imported():
  """A verb that nothing else imports breaks unseen when a name that it uses moves."""
  names = [
      ".".join(path.relative_to(ROOT).with_suffix("").parts)
      for folder in ("reasoner", "rewards", "experiments")
      for path in sorted((ROOT / folder).rglob("*.py"))
  ]
  program = f"import importlib\nfor name in {[n for n in names if not n.endswith('__main__')]!r}: importlib.import_module(name)"
  subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
