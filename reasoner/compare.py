"""python -m reasoner.compare RUN RUN ... [--out=compare.html]: finished runs side by side, on one page.

Differences are from the first; runs that differ in their seed alone count as one. What is tested, and
how, says reporting/comparison.py.
"""

import argparse
import pathlib
import sys

from reasoner.reporting import comparison
from rewards import registry
from rewards.errors import ConfigError


def compare(directories: list[pathlib.Path], out: pathlib.Path) -> None:
  """Writes the page and prints what the held-out rows show. Raises ConfigError as `comparison` does."""
  registry.discover()
  arms = comparison.arms_of(directories)
  if len(arms) < 2:
    raise ConfigError(
      f"{len(directories)} directories hold {len(arms)} config: expected two or more to compare."
    )
  found = comparison.Comparison(arms)
  comparison.write(out, found)
  print("\n".join([*comparison.lines(found), f"Page: {out}"]))


def main() -> None:
  parser = argparse.ArgumentParser(prog="python -m reasoner.compare", description=__doc__)
  parser.add_argument("runs", nargs="+", type=pathlib.Path, help="directories of finished runs")
  parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("compare.html"), help="the page")
  arguments = parser.parse_args()
  try:
    compare(arguments.runs, arguments.out)
  except ConfigError as error:
    sys.stderr.write(f"error: {error}\n")
    sys.exit(2)


if __name__ == "__main__":
  main()
