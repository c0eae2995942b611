"""That the page says what the scores say, that nothing in them becomes markup, and that it stays small."""

import base64
import html.parser
import importlib.resources
import io
import json
import math
import re
import time
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image
from report.contrast import contrast, rows_of_all_shares
from report.page.evaluations import log, origin, random_scores

from rgbd_jax.errors import OutsideError
from rgbd_jax.report import page as pages
from rgbd_jax.report.ensemble import combine_streams
from rgbd_jax.report.metrics import confusion_matrix, summary
from rgbd_jax.report.page import pictures, write_page
from rgbd_jax.report.page.confusion import _COLOUR, confusion_section, most_confused
from rgbd_jax.report.page.curves import ticks
from rgbd_jax.report.page.figures import all_figures
from rgbd_jax.report.page.markup import element
from rgbd_jax.report.page.origin import training_hours

VOID = {"img", "link", "meta"}
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></script><b>&amp;",
    "' onclick='alert(1)",
)


class Page(html.parser.HTMLParser):
    """A page taken apart: its elements and attributes, its texts; ends must fit beginnings."""

    def __init__(self, path):
        super().__init__()
        self.elements, self.texts, self._open = [], [], []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        names = [name for name, _ in attributes]
        assert len(set(names)) == len(names), (tag, names)
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.texts.append((self._open[-1] if self._open else "", data))

    def find(self, tag, **attributes):
        return [found for name, found in self.elements if name == tag and attributes.items() <= found.items()]

    def text(self):
        return " ".join(text for tag, text in self.texts if tag not in ("script", "style"))


def test_an_element_escapes_what_is_not_markup():
    found = element("td", "a<b", element("b", '"&"'), 3, class_="x", data_value='"<', hidden=True, id=None)
    assert found == '<td class="x" data-value="&quot;&lt;" hidden>a&lt;b<b>&quot;&amp;&quot;</b>3</td>'


def test_the_page_needs_nothing_from_outside(write):
    scores = random_scores(5, 40)
    path = write(scores, log(3), scores.ids[:2])
    page, text = Page(path), path.read_text()
    for _, attributes in page.elements:
        for name in ("src", "href"):
            assert attributes.get(name, "#").startswith(("#", "data:")), attributes
    assert not re.search(r"https?:|@import|url\((?!data:)", text)
    (policy,) = page.find("meta", **{"http-equiv": "Content-Security-Policy"})
    assert policy["content"].startswith("default-src 'none'; img-src data:;")
    targets = {attributes["href"].removeprefix("#") for attributes in page.find("a")}
    assert targets == {attributes["id"] for attributes in page.find("section")}


def test_hostile_names_stay_text(write):
    names = HOSTILE
    ids = np.array([f"{name} {number}" for number in range(3) for name in HOSTILE])
    scores = replace(
        random_scores(4, 12), ids=ids, class_names=names, data_set=HOSTILE[0], held_out=names[:1]
    )
    config = origin().config | {HOSTILE[1]: HOSTILE[2]}
    changed = {HOSTILE[1]: HOSTILE[0]}
    session = origin().sessions[0] | {"commit": HOSTILE[2], "versions": {"jax": HOSTILE[0]}}
    hostile = origin(run=HOSTILE[0], config=config, changed=changed, sessions=[session])
    path = write(scores, log(2), ids[:2], hostile)
    page, harmless = Page(path), Page(write(random_scores(4, 12), log(2)))
    kinds = {tag for tag, _ in page.elements}
    assert "b" not in {tag for tag, attributes in page.elements if not attributes}
    assert kinds - {"img", "small"} <= {tag for tag, _ in harmless.elements}
    assert len(page.find("script")) == len(harmless.find("script")) == 2
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    shown = " ".join(page.text().split())
    for name in names:
        assert name in shown
    (data,) = [text for tag, text in page.texts if tag == "script" and text.startswith("{")]
    assert json.loads(data)["classes"] == list(names)


def test_the_matrix_can_be_read_back(write):
    scores = random_scores(4, 60)
    confusion = confusion_matrix(scores)
    page = Page(write(scores))
    (data,) = [text for tag, text in page.texts if tag == "script" and text.startswith("{")]
    found = np.zeros_like(confusion)
    for row, cells in enumerate(json.loads(data)["rows"]):
        found[row, cells[::2]] = cells[1::2]
    np.testing.assert_array_equal(found, confusion)
    (cells,) = page.find("div", id="cells")
    encoded = re.search(r"base64,([^)]+)\)", cells["style"])[1]
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))))
    share = confusion / confusion.sum(axis=1, keepdims=True)
    np.testing.assert_allclose((pixels[..., 3] / 255) ** 2, share, atol=0.005)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_counts_can_be_read_on_their_cells(mode):
    style = importlib.resources.files(pages).joinpath("page.css").read_text(encoding="utf-8")
    ground, ink = (
        np.array(to_rgb(re.findall(rf"--{name}: (#\w+);", style)[mode == "dark"]))
        for name in ("card", "count")
    )
    assert ".cells .strong { color: #fff; }" in style
    section = confusion_section(rows_of_all_shares(30), [str(number) for number in range(30)])
    cells = re.findall(r'grid-area:(\d+)/(\d+)"( class="strong")?>', section)
    assert len(cells) == 2 * 29
    for row, column, strong in cells:
        opacity = math.sqrt((int(row) - 1 if column == "1" else 30 - int(row)) / 29)
        colour = opacity * np.array(_COLOUR) / 255 + (1 - opacity) * ground
        assert contrast(colour, (1, 1, 1) if strong else ink) >= 4.5


def test_classes_have_their_figures_and_none_without_samples(write, scores):
    page = Page(write(replace(scores, held_out=("jump, twice",))))
    rows = page.text().split("most often taken for")[1].split("A click")[0].split()
    text = " ".join(rows)
    assert "1 wave 2 50.0 % 9 – 91 % 50.0 % 50.0 % sit down (1)" in text
    assert "4 jump, twice held out 0 – – 0.0 % 0.0 %" in text
    keys = [attributes.get("data-value") for attributes in page.find("td")]
    assert "nan" not in keys


def test_pairs_are_ranked_with_their_surest_examples(scores):
    found = [(pair.label, pair.predicted, pair.count, pair.examples) for pair in most_confused(scores)]
    assert found == [(0, 1, 1, ("clip2",)), (2, 0, 1, ("clip4",)), (1, 3, 1, ("clip5",))]
    twice = replace(scores, logits=np.tile(np.float32([0, 1, 0, 0]), (7, 1)) * np.arange(1, 8)[:, None])
    twice = replace(twice, logits=twice.logits.astype(np.float32))
    first = most_confused(twice)[0]
    assert (first.label, first.predicted, first.count, first.share) == (0, 1, 2, 1.0)
    assert first.examples == ("clip2", "clip0")
    assert len(most_confused(random_scores(30, 2000), limit=7)) == 7


def test_figures_have_intervals_of_the_samples_they_are_of():
    scores = random_scores(4, 100, held_out=("action number 1",))
    figures = all_figures(scores, summary(scores), confusion_matrix(scores))
    unseen = int((scores.labels == 1).sum())
    assert figures["top1"].count == 100
    assert (figures["top1_unseen"].count, figures["top1_seen"].count) == (unseen, 100 - unseen)
    for name in ("top1", "top5", "mean_class_accuracy", "loss", "generalised_seen"):
        low, high = figures[name].interval
        assert low <= figures[name].value <= high
    assert math.isnan(figures["harmonic_mean"].interval[0])
    short = replace(scores, lengths=np.where(np.arange(100) < 30, 10, 40).astype(np.int32), held_out=())
    figures = all_figures(short, summary(short), confusion_matrix(short))
    assert figures["top1_over_16_frames"].count == 70
    assert figures["top1_over_16_frames"].name.endswith("more than 16 frames")


def test_all_streams_branches_and_zero_shot_figures_are_shown(write):
    joint = random_scores(4, 30, stream="joint")
    bone = replace(random_scores(4, 30, seed=1), labels=joint.labels, stream="bone")
    assert "top-1 of the stream bone" in Page(write(combine_streams([joint, bone]))).text()
    branches = {"rgb": joint.logits, "depth": bone.logits}
    text = Page(write(replace(joint, branches=branches, published=(("rgb",),)))).text()
    assert "top-1 of the branch depth" in text and "the sum rgb + depth" in text
    assert "best of the published sums" in text and "a little too high" in text
    text = Page(write(replace(joint, held_out=("action number 2",)))).text()
    assert "unseen classes, among themselves" in text and "harmonic mean of both" in text


def test_curves_have_gaps_where_nothing_finite_was_logged(write):
    rows = log(4)
    rows[3]["loss"] = None  # training, second epoch
    page = Page(write(random_scores(3, 9), rows))
    loss, _no_valid_loss, *_ = (path["d"] for path in page.find("path"))
    assert loss.count("M") == 2 and loss.count("L") == 1
    assert _no_valid_loss == ""
    assert len(page.find("circle")) == 3 + 4 + 4
    assert "The best validation is that of epoch 2: 37.50 %." in page.text()
    assert "That of validation is the plain cross entropy" in page.text()
    (_, accuracies) = (svg["aria-label"] for svg in page.find("svg"))
    assert accuracies == "top-1 accuracy in %: training ends at 50; validation ends at 25"
    assert "no log of a finished epoch" in Page(write(random_scores(3, 9))).text()


def test_curves_name_the_last_finite_value_and_of_equal_epochs_the_last(write):
    rows = log(4)
    rows[-2]["loss"] = None  # training, last epoch
    for row in rows[-2:]:
        row["top1"] = None if row["split"] == "train" else 0.375
    page = Page(write(random_scores(3, 9), rows))
    losses, accuracies = (svg["aria-label"] for svg in page.find("svg"))
    assert losses.endswith(": training ends at 0.6667")
    assert accuracies.endswith(": training ends at 50; validation ends at 37.5")
    assert "The best validation is that of epoch 4" in page.text()


@pytest.mark.parametrize(
    "low, high, expected",
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (39.2, 97, [40, 60, 80]), (1, 1, [1]), (1, 3, [1, 1.5, 2, 2.5, 3])],
)
def test_ticks_are_round(low, high, expected):
    np.testing.assert_allclose(ticks(low, high), expected, atol=1e-12)


def test_pictures_are_part_of_the_page_as_far_as_there_is_room(write):
    scores = random_scores(3, 9)
    page = Page(write(scores, drawn=scores.ids[:2]))
    images = page.find("img")
    assert [(image["width"], image["height"]) for image in images] == [("1400", "140")] * 2
    assert all(image["src"].startswith("data:image/webp;base64,") for image in images)
    assert "activation maps over the frames" in page.text()


def test_a_picture_without_room_is_named(write, monkeypatch):
    monkeypatch.setattr(pictures, "_MOST_BYTES", 10)
    scores = random_scores(3, 9)
    page = Page(write(scores, drawn=scores.ids[:1]))
    assert page.find("img") == []
    assert "left out to keep this page small; see pictures/0/cam.png" in page.text()


def test_what_each_drawn_sample_was_taken_for_stands_above_it(write, scores):
    logits = np.where(np.arange(7)[:, None] == 1, np.float32(np.nan), scores.logits)
    page = Page(write(replace(scores, logits=logits), drawn=["clip0", "clip2", "clip1"]))
    found = [text for tag, text in page.texts if tag == "span" and text.startswith(("wave,", "sit down,"))]
    assert found == [
        "wave, recognised with 81.0 %",
        "wave, taken for sit down with 96.9 %",
        "sit down, scores not finite",
    ]


def test_how_the_run_was_made_is_told(write):
    text = Page(write(random_scores(3, 9), log(2))).text()
    for part in ("step 20, epoch 2 of 8", "6245e25", "jax 0.10.2", "1 x cpu", "1,234", "data.name"):
        assert part in text
    assert "was not recorded" not in text and "Changed for this evaluation" not in text
    foreign = Page(write(random_scores(3, 9), origin=origin(sessions=(), step=0, epoch=0))).text()
    assert "was not recorded" in foreign and "of an unknown number of steps" in foreign


def test_what_the_evaluation_changed_stands_apart_from_how_the_run_was_made(write):
    changed = origin(changed={"seed": 77, "batch_size": 8})
    text = Page(write(random_scores(3, 9), log(2), origin=changed)).text()
    facts, evaluation = " ".join(text.split()).split("Changed for this evaluation")
    assert "seed 3 batch size 16" in facts
    assert "time in training steps 0.1 minutes" in facts  # 20 steps of 16 clips at 80 clips a second: 4 s
    assert "seed 3 77 batch_size 16 8 All 4 keys of the run's config" in evaluation


def test_what_is_amiss_with_samples_is_said(write, tmp_path):
    scores = random_scores(3, 188)
    scores.logits[[4, 9], 1] = np.nan
    metrics = summary(scores) | {"skipped": 12}
    write_page(tmp_path / "page.html", scores, metrics, [], [], origin())
    page = Page(tmp_path / "page.html")
    assert (
        "Of 188 samples; 12 more were left out as faulty;"
        " the scores of 2 are not finite, which counts as mistakes." in page.text()
    )
    assert len(page.find("span", title="not finite")) == 1  # a column, and no row
    of_no_class = [pair.examples for pair in most_confused(scores) if pair.predicted == 3]
    assert sorted(sum(of_no_class, ())) == ["S000004", "S000009"]


def test_hours_are_those_of_the_steps():
    rows = log(3)
    assert training_hours(rows, 16) == pytest.approx(30 * 16 / 80 / 3600)
    assert training_hours([row for row in rows if row["kind"] == "step"], 16) is None


def test_120_classes_and_50000_samples_take_seconds_and_little_room(write):
    scores = random_scores(120, 50_000)
    begun = time.perf_counter()
    path = write(scores, log(100))
    assert time.perf_counter() - begun < 20  # on a busy machine
    assert path.stat().st_size < 200_000
    assert len(Page(path).find("span", title="action number 119")) == 2


def test_what_cannot_be_written_is_trouble_from_outside(tmp_path):
    (tmp_path / "eval").write_text("")
    scores = random_scores(3, 9)
    with pytest.raises(OutsideError, match=r"report\.html: cannot be written"):
        write_page(tmp_path / "eval" / "report.html", scores, summary(scores), [], [], origin())
