"""The report of small runs made here: what it says, what it leaves out, and that nothing escapes it."""

import html.parser
import json
import re

from hypothesis import given
from hypothesis import Phase
from hypothesis import settings
from hypothesis import strategies as st
import pytest

from reasoner.reporting import charts
from reasoner.reporting import report
from reasoner.run import files
from rewards import registry

RIGHT = "<reasoning>3 and 4 is 7.</reasoning>\n<answer>7</answer>"


def record(uid="a", domain="math", gate=True, correct=True, total=1.0, text=RIGHT, set="held_out", **scores):
  return {
      "set": set, "domain": domain, "uid": uid, "prompt": f"prompt of {uid}", "reference": "7",
      "completion": text, "tokens": 12, "truncated": False, "gate": gate,
      "failure": None if gate else "missing", "correct": correct, "total": total,
      "default_total": total, "scores": scores, "causes": [],
  }  # fmt: skip


def wrong(uid="a", **fields):
  return record(uid, gate=False, correct=False, total=0.0, text="seven", **fields)


def step(number, domain="math", **values):
  path = f"rewards/{domain}"
  measured = {f"{path}/total": 0.5, f"{path}/default_total": 0.5, f"{path}/gate_pass_rate": 0.75}
  return {"step": number, **measured, "gate_failures/missing": 2, "seconds/rollout": 1.5, **values}


CONFIG = {
    "model": {"name": "embedded"},
    "disco": {"alpha": 0.5},
    "rewards": {
        "math": {"format": {"weight": 0.2}, "math_answer": {"weight": 0.8}, "rubric_judge": None},
        "poems": {"format": {"weight": 0.2}, "rhyme": {"weight": 0.3}, "meter": {"weight": 0.0}},
    },
}
SUMMARY = {
    "steps": 30, "seed": 7, "seconds": {"grpo": 60.0, "total": 90.0}, "adapter_sha256": "beef" * 16,
    "peak_memory_gb": 2.5, "environment": {"devices": "1 x cpu", "cpus": "0,1", "jax": "0.10.2"},
}  # fmt: skip


@pytest.fixture
def run(tmp_path):
  """Writes the files of a run and returns a function that renders its page."""

  def render(
      before=(), after=(), metrics=(), samples=(), disco=(), evaluations=(), config=CONFIG, summary=SUMMARY
  ):
    for name, rows in {
        "evaluation_before": before, "evaluation_after": after, "metrics": metrics, "samples": samples,
        "evaluations": evaluations,
    }.items():  # fmt: skip
      files.write_lines(tmp_path / f"{name}.jsonl", list(rows))
    files.write_json(tmp_path / "disco.json", list(disco))
    return report.render(report.read(tmp_path, summary, config))

  return render


class Reader(html.parser.HTMLParser):
  """Collects tags, text and the cells of tables by row, and finds tags that do not close in order."""

  VOID = {"meta", "link", "br", "img", "input", "hr"}

  def __init__(self, page):
    super().__init__()
    self.open, self.tags, self.crossed, self.text, self.rows = [], [], [], "", []
    self.feed(page)

  def handle_starttag(self, tag, attributes):
    self.tags.append((tag, dict(attributes)))
    if tag == "tr":
      self.rows.append([])
    elif tag in ("th", "td"):
      self.rows[-1].append("")
    if tag not in self.VOID:
      self.open.append(tag)

  def handle_endtag(self, tag):
    if not self.open or self.open.pop() != tag:
      self.crossed.append(tag)

  def handle_startendtag(self, tag, attributes):
    self.tags.append((tag, dict(attributes)))

  def handle_data(self, data):
    self.text += data
    if "th" in self.open or "td" in self.open:
      self.rows[-1][-1] = re.sub(r"\s+", " ", self.rows[-1][-1] + data)


def words(page):
  return re.sub(r"\s+", " ", Reader(page).text)


def found(page, *texts):
  """Returns which of the texts a page holds: `not in` would have pytest diff all of it."""
  return [text for text in texts if text in page]


def unpaid_steps(**curves):
  """Steps whose metrics follow the given curves, a value a step."""
  return [
      step(k, "poems", **{path.replace("__", "/poems/"): values[k] for path, values in curves.items()})
      for k in range(len(next(iter(curves.values()))))
  ]


def test_the_paid_total_is_marked_where_something_unpaid_falls_beside_it(run):
  rising, falling = [0.5] * 30 + [0.7] * 10, [0.9] * 30 + [0.6] * 10
  page = run(metrics=unpaid_steps(
      rewards__total=rising, rewards__meter=falling, rewards__rhyme=falling,
      completions__reasoning_words=[40.0] * 30 + [8.0] * 10, groups__distinct_answers=[0.75] * 40,
  ))  # fmt: skip
  section = page.split('id="paid-and-unpaid"')[1].split("</section>")[0]
  said = words(section)
  assert "Parted: meter fell by 0.30 while the paid total rose by 0.20" in said
  assert "Parted: words of reasoning fell by 80% of its words while" in said
  assert said.count("Parted:") == 2  # rhyme is paid, and as many answers differ as before
  assert "distinct answers in a group" in said and "words of answer" not in said  # not measured
  assert 'stroke-width: 3.2' in section


def test_agreeing_on_the_truth_is_no_parting(run):
  curves = dict(rewards__total=[0.5] * 30 + [0.7] * 10, groups__distinct_answers=[0.9] * 30 + [0.2] * 10)
  assert "Parted:" in run(metrics=unpaid_steps(**curves))
  assert "Parted:" not in run(metrics=unpaid_steps(rewards__accuracy=[0.5] * 40, **curves))


def test_a_run_leaves_a_page_that_needs_nothing_else_and_three_pictures(tmp_path):
  poem = {"domain": "poems", "correct": None, "rhyme": 0.5, "meter": 0.25}
  files.write_lines(tmp_path / "evaluation_before.jsonl", [wrong("a"), record("p", total=0.6, **poem)])
  files.write_lines(
      tmp_path / "evaluation_after.jsonl",
      [record("a", math_answer=1.0), record("p", total=0.6, **poem), wrong("t", set="unseen_templates")],
  )
  files.write_lines(tmp_path / "metrics.jsonl", [
      {**step(k), **step(k, "poems", **{"rewards/poems/rhyme": 0.5})} for k in range(3)
  ])
  files.write_lines(tmp_path / "samples.jsonl", [{"step": 0, "advantage": 0.0, **record("b")}])
  files.write_json(tmp_path / "disco.json", [
      {"domain": "math", "rows": 9, "natural_share": 0.9, "disco_share": 0.75, "draws": 3, "epochs": 0.33},
      {"domain": "poems", "rows": 1, "natural_share": 0.1, "disco_share": 0.25, "draws": 1, "epochs": 1.0},
  ])
  report.write(tmp_path, SUMMARY, CONFIG)
  page = (tmp_path / "report.html").read_text()
  reader = Reader(page)
  assert reader.open == [] and reader.crossed == []
  assert not found(page, "http") and not found(page.split("</style>")[1], "$")
  assert {tag for tag, _ in reader.tags}.isdisjoint({"link", "img", "iframe"})
  assert [attributes for tag, attributes in reader.tags if tag == "script"] == [{}]  # the filter of the samples
  links = {a.get("href") for tag, a in reader.tags if tag == "a"}
  assert links <= {f"#{a['id']}" for tag, a in reader.tags if tag == "section"} and len(links) == 10
  for name in ("results.png", "curves.png", "disco.png"):
    assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_the_headline_is_computed_from_both_evaluations(run):
  page = run(
      before=[record("a"), wrong("b"), wrong("c"), wrong("d")],
      after=[record("a"), record("b"), record("c"), record("d", correct=False, total=0.2)],
  )
  text = words(page)
  assert (
      "30 GRPO steps took the embedded model from 25.0 % to 100.0 % valid format in 1 domain and "
      "from 25.0 % to 75.0 % accuracy in the 1 with a ground truth." in text
  )
  # 1 of 4 is (0.046, 0.699) and 3 of 4 is (0.301, 0.954): nothing is proven yet, and the page says so.
  assert "its 95 % intervals before and after overlap" in text
  assert "4 held-out prompts, greedy" in text and "1.5 minutes in all" in text and "2 CPUs" in text


def test_a_domain_that_got_worse_is_named_above_the_charts(run):
  rows = [f"r{n}" for n in range(6)]
  page = run(before=map(record, rows), after=[record(uid, correct=False, total=0.2) for uid in rows])
  assert "Worse than before: math lost accuracy: 100.0 -> 0.0 % of the same 6 rows" in words(page)
  assert "math +0 −0 of 6 1 +0 −6 of 6 0.031" in words(page)
  assert "Worse than before" not in words(run(before=map(record, rows), after=map(record, rows)))


def test_without_both_evaluations_no_result_is_claimed(run):
  page = run(after=[record()])
  assert "was not evaluated both before and after" in words(page)
  assert not found(page, "took the")


def test_a_domain_without_truth_claims_no_accuracy(run):
  poem = record(domain="poems", correct=None, total=0.5)
  page = run(before=[poem], after=[poem])
  assert not found(words(page), "accuracy in the")
  assert "no ground truth" in page


def test_the_table_shows_accuracy_beside_accuracy_given_format_and_the_best_constant_answer(run):
  page = run(
      before=[wrong("a"), wrong("b")],
      after=[wrong("a"), {**record("b"), "reference": "8"}],
  )
  cells = next(row for row in Reader(page).rows if row[0] == "math")[1:]
  # n; format; accuracy; the more frequent of two references; given format; reward.
  assert cells[0] == "2"
  assert cells[1].startswith("0.0 → 50.0 %") and cells[2].startswith("0.0 → 50.0 %")
  assert cells[3] == "50.0 %"
  assert cells[4].startswith("– → 100.0 %") and cells[4].endswith("n 0 → 1")
  assert cells[5] == "0.000 → 0.500"


def test_the_style_of_each_domain_stands_before_and_after(run):
  listed = "<reasoning>So 1 + 2 = 3. Done.</reasoning>\n<answer>- red\n- blue</answer>"
  page = run(before=[wrong("a"), record("b")], after=[record("a"), record("b", text=listed)])
  section = page.split('id="how-it-writes"')[1].split("</section>")[0]
  head, row, union = Reader(section).rows
  # n, words and sentences of reasoning, words of answer, lists, code, equations, connectives.
  measured = ["1 → 2", "5.0 → 6.0", "1.0 → 1.5", "1.0 → 2.5", "0 → 50 %", "0 → 0 %", "0 → 50 %", "0 → 50 %"]
  assert row == ["math", *measured]
  assert union == ["all", *row[1:]] and len(head) == len(row)


def test_each_chart_says_what_a_bad_one_looks_like(run):
  values = {"train/kl": 0.1, "tokens_per_second": 9.0, "rewards/math/math_answer": 0.5}
  metrics = [step(k, **values) for k in range(3)]
  shares = {"domain": "math", "rows": 9, "natural_share": 1.0, "disco_share": 1.0, "draws": 3, "epochs": 0.33}
  page = run(before=[wrong("a")], after=[record("a")], metrics=metrics, disco=[shares])
  counts = [(part.count("<svg"), part.count("<b>Bad:</b>")) for part in page.split("<section")[1:]]
  # A section of the same chart for each domain says it once.
  assert counts == [(2, 2), (0, 0), (1, 1), (1, 1), (1, 1), (2, 2), (3, 3), (0, 0), (0, 0)]


def test_groups_of_a_small_spread_are_drawn_by_domain_with_their_part_of_the_gradient(run):
  values = {"groups/small_spread_fraction": 0.5, "rewards/poems/gate_pass_rate": 1.0}
  for domain in ("math", "poems"):
    values |= {f"groups/{domain}/small_spread_{part}": 0.25 for part in ("fraction", "gradient")}
  page = run(metrics=[step(k, **values) for k in range(3)])
  figures = page.split('id="how-training-went"')[1].split("<figure>")[1:3]
  for figure, caption in zip(figures, ("share of groups with a spread below 0.02", "their part of the gradient")):
    assert caption in figure and "<b>Bad:</b>" in figure
    assert all(colour in figure for colour in charts.PALETTE[:2])


def test_further_sets_stand_apart_and_carry_no_bar(run):
  page = run(before=[record()], after=[record(), wrong(set="unseen_templates"), wrong(set="spring")])
  text = words(page)
  assert "unseen templates (no bar; templates never seen in training)" in text
  assert "spring (no bar)" in text
  assert "to 100.0 % valid format" in text  # of the held-out set alone


def test_a_component_of_weight_zero_is_drawn_and_marked(run):
  metrics = [step(k, "poems", **{"rewards/poems/meter": 0.5, "rewards/poems/rhyme": 0.25}) for k in (0, 1)]
  page = run(metrics=metrics)
  section = page.split('id="reward-components"')[1].split("</section>")[0]
  assert Reader(section).rows[1:] == [["rhyme", "0.3", "–"], ["meter", "measured, not paid", "–"]]
  assert section.count("stroke-dasharray") == 1


def test_a_guard_is_marked_as_one(run):
  with registry.temporary():
    for name in ("rhyme", "meter"):
      registry.register(name, kind="guard")(lambda completion, example: 1.0)
    page = run(metrics=[step(0, "poems", **{"rewards/poems/meter": 0.5, "rewards/poems/guard_factor": 0.5})])
  section = page.split('id="reward-components"')[1].split("</section>")[0]
  assert Reader(section).rows[1:] == [["rhyme", "guard, 0.3", "–"], ["meter", "measured, not applied", "–"]]


def test_a_domain_without_references_is_called_weakly_measured(run):
  bare = [{**record(uid, domain="poems", correct=None), "reference": ""} for uid in "ab"]
  full = record("c", domain="poems", correct=None)
  metrics = [step(0, "poems", **{"rewards/poems/rhyme": 0.5})]
  assert found(words(run(after=[*bare, full], metrics=metrics)), "weakly measured")
  assert not found(words(run(after=[bare[0], full, {**full, "uid": "d"}], metrics=metrics)), "weakly measured")
  # Where there is a truth there is a verdict, whatever the reference's text.
  verdict = {**record("v"), "reference": ""}
  assert not found(words(run(after=[verdict], metrics=[step(0)])), "weakly measured")


def test_an_optional_component_that_was_not_built_is_not_listed(run):
  assert not found(run(metrics=[step(0)]).split("<details>")[0], "rubric_judge")


def test_the_total_under_default_weights_is_drawn_where_it_differs_alone(run):
  assert not found(words(run(metrics=[step(0), step(1)])), "default weights")
  metrics = [step(0), {**step(1), "rewards/math/default_total": 0.4}]
  page = run(metrics=metrics)
  assert "reward under the default weights" in words(page)


def test_a_domain_never_seen_before_is_drawn_like_the_others(run):
  zoo = "zoo<logy> & co"
  page = run(
      before=[record("z", domain=zoo)], after=[record("z", domain=zoo)], metrics=[step(0, zoo)],
      disco=[{"domain": zoo, "rows": 2, "natural_share": 1.0, "disco_share": 1.0, "draws": 1, "epochs": 0.5}],
  )  # fmt: skip
  assert not found(page, "<logy>")
  assert page.count("zoo&lt;logy&gt; &amp; co") >= 8
  assert Reader(page).crossed == []


def test_domains_with_a_truth_come_first_and_each_keeps_one_colour(tmp_path):
  rows = [record(domain=name, correct=None) for name in ("aa", "bb")]
  files.write_lines(tmp_path / "evaluation_after.jsonl", [*rows, record(domain="zz")])
  results = report.read(tmp_path, {}, {})
  assert list(results.domains) == ["zz", "aa", "bb"]
  assert len(set(results.colours.values())) == 3


def test_what_a_model_wrote_is_shown_and_never_obeyed(run):
  hostile = "<script>alert(1)</script></pre><reasoning>\ud800\x00<b>&amp;</reasoning>"
  page = run(before=[wrong("a")], after=[{**wrong("a"), "completion": hostile, "prompt": "<img src=x>"}])
  assert not found(page, "<script", "<img")
  assert "&lt;script&gt;alert(1)&lt;/script&gt;&lt;/pre&gt;" in page
  assert "<b>&lt;reasoning&gt;</b>" in page and "&lt;b&gt;&amp;amp;" in page
  page.encode("utf-8")
  assert Reader(page).crossed == []


def test_samples_can_be_narrowed_by_domain_gate_and_component(run):
  samples = [
      {"step": 0, "advantage": 0.5, **record("a", math_answer=1.0)},
      {"step": 0, "advantage": 0.0, **wrong("p'\"<", domain="poems"), "completion": "</script><script>"},
      *({"step": k, "advantage": 0.0, **record(str(k), domain="poems", rhyme=k / 100)} for k in range(1, 100)),
  ]  # fmt: skip
  reader = Reader(run(before=[record(), record(domain="poems", correct=None)], samples=samples))
  assert reader.open == [] and reader.crossed == []
  assert [a["name"] for tag, a in reader.tags if tag == "select"] == ["domain", "gate", "component"]
  shown = [a for tag, a in reader.tags if tag == "article" and a.get("class") == "sample"]
  assert len(shown) == 1 + report.SAMPLES_SHOWN
  assert (shown[0]["data-domain"], shown[0]["data-gate"]) == ("math", "passed")
  assert json.loads(shown[0]["data-scores"]) == {"math_answer": 1.0}
  assert shown[1]["data-gate"] == "missing"
  assert [json.loads(a["data-scores"]) for a in shown][-1] == {"rhyme": 0.99}  # the first and the last are among them
  assert len([tag for tag, _ in reader.tags if tag == "script"]) == 1


def test_the_sample_evaluated_during_training_is_drawn_and_its_best_step_named(run):
  row = lambda reward: {"n": 16, "reward": reward, "format": 1.0, "accuracy": None}  # noqa: E731
  evaluations = [{"step": k, "math": row(r), "all": row(r)} for k, r in ((0, 0.25), (20, 0.75), (40, 0.5))]
  text = words(run(before=[record()], metrics=[step(k) for k in range(40)], evaluations=evaluations))
  assert "what its 16 prompts are paid. The best was 0.750 at step 20" in text
  assert "all other results are of the last adapter" in text
  assert "held-out sample" not in words(run(before=[record()], metrics=[step(0)]))


def test_a_run_whose_steps_were_raised_does_not_pass_for_a_longer_one(run):
  page = run(before=[record()], after=[record()], summary=SUMMARY | {"continued_at": [20]})
  assert "steps raised at 20: a new schedule from there, not one run of as many" in words(page)


def mark_tags(text):
  template = "{% from 'parts.html' import marked %}{{ marked(text) }}"
  return report.templates().from_string(template).render(text=text)


def test_tags_and_what_stands_in_them_are_marked():
  assert mark_tags("so <reasoning>a</reasoning>\n<answer>b") == (
      '<span class="outside">so </span><b>&lt;reasoning&gt;</b><span class="reasoning">a</span>'
      '<b>&lt;/reasoning&gt;</b><span class="outside">\n</span><b>&lt;answer&gt;</b>'
      '<span class="answer">b</span>'
  )
  assert mark_tags("") == ""


@given(st.lists(st.sampled_from(
    ["<reasoning>", "</reasoning>", "<answer>", "</answer>", "<", ">", "&", '"', "x", "\n", "</span>"]
)))
@settings(max_examples=60, deadline=None)
def test_marking_tags_keeps_every_character_and_stays_well_formed(parts):
  reader = Reader(mark_tags("".join(parts)))
  assert reader.text == "".join(parts)
  assert reader.open == [] and reader.crossed == []


def test_the_pairs_are_the_first_that_learned_and_the_first_of_the_others(tmp_path):
  files.write_lines(tmp_path / "evaluation_before.jsonl", [wrong("c"), record("a"), wrong("b"), wrong("x")])
  files.write_lines(tmp_path / "evaluation_after.jsonl", [record("c"), wrong("a"), record("b")])
  results = report.read(tmp_path, {}, {})
  chosen = report.pairs(results, "math")
  assert [(before["uid"], after["uid"]) for _, before, after in chosen] == [("b", "b"), ("a", "a")]
  assert chosen[1][0] == "first of the others by uid"
  assert report.pairs(results, "poems") == []


def test_a_metric_that_is_not_finite_or_absent_leaves_a_gap(tmp_path):
  (tmp_path / "metrics.jsonl").write_text(
      '{"step": 0, "train/kl": 0.5}\n{"step": 1, "train/kl": NaN}\n{"step": 2}\n{"step": 3, "train/k'
  )
  assert report.read(tmp_path, {}, {}).series("train/kl") == ([0], [0.5])


def test_config_versions_and_checksum_are_on_the_page(run):
  page = run(summary={**SUMMARY, "seed": None})
  assert '"name": "embedded"' in words(page)
  section = page.split('id="the-run"')[1].split("</section>")[0]
  facts = dict(Reader(section).rows)
  assert facts["adapter_sha256"] == "beef" * 16
  assert facts["jax"] == "0.10.2" and facts["seconds: grpo"] == "60.00"
  assert "seed" not in facts


optional = lambda values: st.one_of(st.none(), values)  # noqa: E731
shares = st.floats(0, 1)
records = st.builds(
    record,
    uid=st.sampled_from("abc"),
    domain=st.sampled_from(["math", "poems", "zoo"]),
    gate=st.booleans(),
    correct=optional(st.booleans()),
    total=optional(shares),
    text=st.text(max_size=20),
    set=st.sampled_from(["held_out", "unseen_templates"]),
    rhyme=optional(shares),
)
metric_rows = st.dictionaries(
    st.sampled_from([
        "rewards/math/total", "rewards/math/gate_pass_rate", "rewards/zoo/gate_pass_rate",
        "rewards/zoo/rhyme", "rewards/zoo/rhyme/timeout", "gate_failures/order", "train/kl",
        "tokens_per_second", "seconds/update", "seconds/step", "rewards/total",
    ]),  # fmt: skip
    st.one_of(st.none(), st.just(float("nan")), st.floats(-10, 1e6)),
)


@given(
    before=st.lists(records, max_size=3),
    after=st.lists(records, max_size=3),
    metrics=st.lists(metric_rows, max_size=2),
    config=st.sampled_from([{}, CONFIG]),
    summary=st.sampled_from([{}, {"seconds": None, "steps": None}, SUMMARY]),
)
@settings(max_examples=4, deadline=None, derandomize=True, phases=[Phase.generate])  # each draws charts
def test_no_combination_of_absent_values_breaks_the_page(
    tmp_path_factory, before, after, metrics, config, summary
):
  directory = tmp_path_factory.mktemp("run")
  files.write_lines(directory / "evaluation_before.jsonl", before)
  files.write_lines(directory / "evaluation_after.jsonl", after)
  files.write_lines(directory / "metrics.jsonl", [{"step": k, **row} for k, row in enumerate(metrics)])
  page = report.render(report.read(directory, summary, json.loads(json.dumps(config))))
  reader = Reader(page)
  assert reader.open == [] and reader.crossed == []
  assert not found(words(page.split("<details>")[0].split('id="completions')[0]), "None")


def test_an_empty_directory_makes_a_page_without_results(tmp_path):
  report.write(tmp_path, {}, {})
  text = words((tmp_path / "report.html").read_text())
  assert "was not evaluated" in text and not found(text, "Learning curves")
  assert not list(tmp_path.glob("*.png"))
