"""The card of an exported model: what it is, how it was trained, what it reached, under which terms.

card.md is its text. Its figures are summary.json's; none is written by hand.
"""

from collections.abc import Mapping
import pathlib
from typing import Any

from reasoner.data import dataset as datasets_
from reasoner.models.family import License
from reasoner.run.settings import Settings


def write(
    settings: Settings, summary: Mapping[str, Any], *, base: str, origin: str, license: License,
    template: str, gguf: str | None,
) -> str:  # fmt: skip
  """Returns README.md.

  Args:
    summary: the run's summary.json.
    base: the starting model's name on the hub; "" where it has none. origin: where it came from.
    template: of the prompts it was trained under.
    gguf: the name of the GGUF file beside it; None for none.
  """
  import jinja2

  text = pathlib.Path(__file__).with_name("card.md").read_text(encoding="utf-8")
  environment = jinja2.Environment(
      undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
  )
  environment.filters["percent"] = lambda share: "–" if share is None else f"{100 * share:.0f}"
  return environment.from_string(text).render(
      settings=settings,
      domains=summary["domains"],
      base=base,
      origin=origin,
      license=license,
      datasets=[] if settings.data.root.startswith("embedded") else _datasets(settings),
      template=template,
      gguf=gguf,
  )


def _datasets(settings: Settings) -> list[datasets_.DataSet]:
  sources = settings.data.sources.values()
  names = {name for entries in sources for name, entry in (entries or {}).items() if entry}
  return [datasets_.known()[name] for name in sorted(names)]
