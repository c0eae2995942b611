"""The page as a whole."""

import base64
import hashlib
import importlib.resources
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rgbd_jax.files import replacing
from rgbd_jax.report.metrics import confusion_matrix
from rgbd_jax.report.page.classes import classes_section
from rgbd_jax.report.page.confusion import confusion_section, pairs_section
from rgbd_jax.report.page.curves import curves_section
from rgbd_jax.report.page.figures import figures_section
from rgbd_jax.report.page.markup import Html, element, joined
from rgbd_jax.report.page.origin import Origin, origin_section
from rgbd_jax.report.page.pictures import DrawnSample, pictures_section
from rgbd_jax.report.scores import Scores


def write_page(
    path: Path,
    scores: Scores,
    metrics: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    samples: Sequence[DrawnSample],
    origin: Origin,
) -> None:
    """Write the report of an evaluation, one HTML file without links to anything outside of it.

    Args:
      metrics: of `scores`, what is in `metrics.json`.
      rows: of `metrics.jsonl`; empty if there is none.
      samples: drawn in folders below `pictures/`, beside the page.

    Raises:
      OutsideError: if the disk refuses.
    """
    confusion = confusion_matrix(scores)
    sections = {
        "figures": ("Figures", figures_section(scores, metrics, confusion)),
        "matrix-section": ("Confusion matrix", confusion_section(confusion, scores.class_names)),
        "pairs": ("Most confused pairs", pairs_section(scores)),
        "classes": ("Classes", classes_section(scores, confusion)),
        "curves": ("Learning curves", curves_section(rows)),
        "pictures": ("What the network saw", pictures_section(path.parent / "pictures", samples, scores)),
        "origin": ("How this run was made", origin_section(origin, rows)),
    }
    what = " · ".join(filter(None, (scores.data_set, scores.split, scores.stream)))
    links = (element("a", title, href=f"#{name}") for name, (title, _) in sections.items())
    body = element(
        "body",
        element(
            "header",
            element("p", what, class_="what"),
            element("h1", origin.run),
            element("nav", *links, aria_label="sections"),
        ),
        element(
            "main",
            *(
                element("section", element("h2", title), content, id=name)
                for name, (title, content) in sections.items()
            ),
        ),
        _script(_file("page.js")),
    )
    page = joined(
        (Html("<!doctype html>\n"), element("html", _head(f"{origin.run}: {what}"), body, lang="en"))
    )
    with replacing(path) as temporary:
        temporary.write_text(page + "\n", encoding="utf-8")


def _head(title: str) -> Html:
    script = _file("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # Nothing may be fetched, and no script may run but ours.
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("link", rel="icon", href="data:,"),
        element("style", Html(_file("page.css"))),
    )


def _script(text: str) -> Html:
    return element("script", Html(text))


def _file(name: str) -> str:
    return importlib.resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
