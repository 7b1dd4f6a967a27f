r"""python -m reasoner.plan --config=RECIPE [--topology=v5e:2x4]: does a recipe fit its devices, and how long?

  python -m reasoner.plan --config=experiments/seven_domain.py:gemma3_1b --topology=v5e:2x4 --layouts=3
  python -m reasoner.plan --config=experiments/seven_domain.py:gemma3_270m --topology=v5e:1x1
  python -m reasoner.plan --config=experiments/seven_domain.py            # for what is on this machine

The trainer's programs are compiled for the topology, from shapes: nothing is fetched, and no TPU is needed
(extra `tpu`). The formulas of the seconds stand in run/planning.py; what a compiler finds is kept.

  --layouts=N              compiles the N quickest layouts that fit, by arithmetic; 0: the recipe's own alone
  --hours=H                a session; by default config.train.time_budget_hours, or 9
  --output=DIR             of plan.json and plan.png; by default runs/plan
  --config.FIELD=VALUE     as for the trainer
"""

import argparse
import dataclasses
import pathlib
import sys
from typing import Any

from reasoner.run.settings import Settings
from rewards import recipes
from rewards.errors import ConfigError

_GIB = 2**30


def plan(settings: Settings, topology: str, count: int, hours: float, output: pathlib.Path) -> dict[str, Any]:
  """Prints and writes what a recipe needs of a topology; returns what is written as plan.json.

  count: of the quickest layouts to compile; 0: the recipe's own.

  Raises:
    ConfigError: the topology is unknown, its compiler missing, or the devices do not divide so.
  """
  from reasoner.models import topology as topology_lib

  devices, chip = topology_lib.devices_of(topology)
  import jax
  import jax.numpy as jnp

  from reasoner import models
  from reasoner.models import mesh
  from reasoner.run import planning

  dtype = jnp.dtype("bfloat16") if topology else mesh.compute_dtype(settings.model.dtype)
  source = settings.model.get_source()
  print(
      f"{len(devices)} x {chip.name}, each {chip.memory / _GIB:.2f} GiB, {chip.flops / 1e12:.3g} TFLOP/s, "
      f"{chip.bandwidth / 1e9:.3g} GB/s" + (", as measured here" if chip.measured else ""), flush=True,
  )  # fmt: skip
  ranked = planning.layouts(settings, source.outline(dtype), chip, len(devices))
  own = planning.Layout.of(settings, len(devices))
  if count:
    print("\nRoofline seconds of a step, by arithmetic:")
    for seconds, layout in ranked[:8]:
      print(f"{seconds:9.3f}  {layout}")
  about = f"{jax.__version__} {devices[0].client.platform_version} {topology} {len(devices)}"
  cache = models.cache_directory() / "plans"
  found: list[dict[str, Any]] = []
  for layout in [layout for _, layout in ranked] if count else [own]:
    print(f"\n{layout}" + (", the recipe's own" if layout == own else ""), flush=True)
    rows = []
    for program in planning.programs(layout.put(settings), source, devices, dtype):
      if sys.stdout.isatty():
        print(f"  {program.name}: compiling, which takes minutes the first time ...", end="\r", flush=True)
      compiled = planning.compile_program(program, cache, about)
      rows.append(_row(program, compiled, chip))
      print("\n".join(_lines(rows[-1], chip.memory)), flush=True)
      if count and not rows[-1]["fits"]:
        break
    entry = {"layout": dataclasses.asdict(layout), "fits": all(row["fits"] for row in rows), "programs": rows}
    found.append(entry)
    if entry["fits"] or not count:
      entry |= _hours(rows, settings, hours, planning.SHARES)
      print("\n".join(entry.pop("lines")), flush=True)
    if count and sum(entry["fits"] for entry in found) == count:
      break
  result = {
      "topology": topology or "here", "devices": len(devices), "chip": dataclasses.asdict(chip),
      "ranked": [{"step_seconds": seconds, "layout": dataclasses.asdict(layout)} for seconds, layout in ranked],
      "layouts": found,
  }  # fmt: skip
  _write(result, output)
  return result


def _row(program, compiled, chip) -> dict[str, Any]:
  """Returns what is known of a program, as plan.json has it; bytes and FLOPs are those of one chip."""
  peak = compiled.peak + program.beside
  parts = {
      part: dataclasses.asdict(work) | {"roofline_seconds": work.seconds(chip)} for part, work in program.work.items()
  }
  return {
      "program": program.name, "phase": program.phase, "arguments": compiled.arguments,
      "temporaries": compiled.temporaries, "outputs": compiled.outputs, "beside": program.beside, "peak": peak,
      "fits": not compiled.error and peak <= chip.memory, "error": compiled.error, "work": parts,
      "compiler": {"flops": compiled.flops, "bytes": compiled.bytes_accessed, "seconds": compiled.seconds},
  }  # fmt: skip


def _lines(row: dict[str, Any], memory: int) -> list[str]:
  gib = lambda name: f"{row[name] / _GIB:.2f}"  # noqa: E731
  if row["error"]:
    lines = [f"  {row['program']}: does not compile: {row['error']}"]
  else:
    verdict = "fits" if row["fits"] else "DOES NOT FIT"
    lines = [
        f"  {row['program']}: arguments {gib('arguments')} + temporaries {gib('temporaries')} + outputs "
        f"{gib('outputs')} + beside {gib('beside')} = {gib('peak')} of {memory / _GIB:.2f} GiB: {verdict} "
        f"(compiled in {row['compiler']['seconds']:.0f} s)"
    ]
  for part, work in row["work"].items():
    seconds = work["roofline_seconds"]
    lines.append(
        f"    {part + ':' if part else '':<9}{work['flops'] / 1e12:9.3f} TFLOP {work['bytes'] / 1e9:9.2f} GB"
        f" {work['moved'] / 1e9:8.2f} GB moved   roofline {seconds:.3f} s, at 30 to 10 % {seconds / 0.3:.2f} to "
        f"{seconds / 0.1:.2f} s"
    )
  return lines


def _hours(rows: list[dict[str, Any]], settings: Settings, hours: float, shares) -> dict[str, Any]:
  """Returns how long the recipe takes, and what of it fits a session, at each share of the roofline."""
  seconds = {"grpo": 0.0, "evaluation": 0.0, "cold_start": 0.0}
  for row in rows:
    seconds[row["phase"]] += sum(work["roofline_seconds"] for work in row["work"].values())
  train, size = settings.train, settings.evaluated_at_once
  batches = 2 * -(-len(settings.rewards) * settings.data.evaluation_rows // size)  # before and after
  around = batches * seconds["evaluation"] + settings.cold_start.steps * seconds["cold_start"]
  lines = [
      f"  a step {seconds['grpo']:.2f} s at the roofline; {train.steps} of {train.prompts_per_step} prompts x "
      f"{settings.grpo.num_generations}, {batches} batches of evaluation, {settings.cold_start.steps} of cold "
      "start:"
  ]
  table = {}
  for share in shares:
    step = seconds["grpo"] / share
    fit = max(0, min(train.steps, int((3600 * hours - around / share) / step)))
    whole = (train.steps * step + around / share) / 3600
    table[f"{share:.0%}"] = {
        "step_seconds": step, "hours": whole, "steps_that_fit": fit,
        "prompts_that_fit": fit * train.prompts_per_step,
    }  # fmt: skip
    lines.append(
        f"    at {share:.0%}: {step:.1f} s a step, {whole:.2f} hours for all; {hours:g} hours hold {fit} steps, "
        f"{fit * train.prompts_per_step:,} prompts"
    )
  return {"step_roofline_seconds": seconds["grpo"], "session_hours": hours, "shares": table, "lines": lines}


def _write(result: dict[str, Any], output: pathlib.Path) -> None:
  """Writes plan.json, and plan.png: memory and seconds of each program of the quickest layout that fits."""
  from reasoner.reporting import charts
  from reasoner.run import files

  output.mkdir(parents=True, exist_ok=True)
  files.write_json(output / "plan.json", result)
  shown = next((entry for entry in result["layouts"] if entry["fits"]), result["layouts"][0])
  colours = dict(zip(("arguments", "temporaries", "outputs", "beside"), charts.PALETTE))
  memory = [(row["program"], {n: row[n] / 2**20 for n in colours}) for row in shown["programs"]]
  times = [
      (f"{row['program']} {part}".strip(), {"": 1e3 * work["roofline_seconds"]})
      for row in shown["programs"] for part, work in row["work"].items()
  ]  # fmt: skip
  available = result["chip"]["memory"] / 2**20

  def paint_memory(axes):
    charts.shares(axes, memory, colours)
    axes.set_title(f"MiB a chip, of {available:,.0f}: {', '.join(colours)}")

  def paint_times(axes):
    charts.shares(axes, times, {"": charts.PALETTE[0]})
    axes.set_title("milliseconds at the roofline")

  charts.png(charts.draw(1, 2, (10, 0.5 + 0.4 * len(times)), paint_memory, paint_times), output / "plan.png")
  print(f"\n{output / 'plan.json'}, {output / 'plan.png'}")


def main(argv: list[str] | None = None) -> int:
  parser = argparse.ArgumentParser(
      prog="python -m reasoner.plan", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
  )
  parser.add_argument("--config", required=True)
  parser.add_argument("--topology", default="")
  parser.add_argument("--layouts", type=int, default=0)
  parser.add_argument("--hours", type=float)
  parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("runs/plan"))
  arguments, overrides = parser.parse_known_args(argv)
  try:
    for override in overrides:
      if not override.startswith(recipes.PREFIX):
        raise ConfigError(f"{override!r} is no flag; see python -m reasoner.plan --help.")
    settings = Settings.of(recipes.load(arguments.config, overrides, Settings)[0])
    hours = arguments.hours or settings.train.time_budget_hours or 9.0
    plan(settings, arguments.topology, arguments.layouts, hours, arguments.output)
  except ConfigError as error:
    sys.stderr.write(f"error: {error}\n")
    return 2
  return 0


if __name__ == "__main__":
  sys.exit(main())
