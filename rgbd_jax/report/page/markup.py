"""HTML from Python values. What is not markup already is escaped: names and ids may hold anything."""

import html
import json
from collections.abc import Iterable, Sequence
from typing import Any

_VOID = ("img", "link", "meta")


class Html(str):
    """Text that is markup; all other text is escaped where it becomes a part of an element."""

    __slots__ = ()


def element(name: str, /, *content: Any, **attributes: Any) -> Html:
    """An element.

    Args:
      content: elements, and values whose text is escaped.
      attributes: an underscore stands for a hyphen, one at the end for nothing; None leaves the attribute
        out, True gives it without a value.
    """
    written = "".join(
        _attribute(key.rstrip("_").replace("_", "-"), value)
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{joined(content)}</{name}>")


def joined(parts: Iterable[Any]) -> Html:
    """Elements and values one after another."""
    return Html("".join(part if isinstance(part, Html) else html.escape(str(part)) for part in parts))


def data_block(identifier: str, value: Any) -> Html:
    """A value as JSON for the page's script."""
    # Nothing in it can end the script element: JSON has another way to write the sign.
    text = json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return Html(f'<script type="application/json" id="{identifier}">{text}</script>')


def table(label: str, header: Sequence[Any], rows: Iterable[Sequence[Any]], **attributes: Any) -> Html:
    """A table that scrolls by itself where it is wider than the page."""
    head = element("tr", *(element("th", cell, scope="col") for cell in header))
    body = (element("tr", *(element("td", cell) for cell in row)) for row in rows)
    whole = element("table", element("thead", head), element("tbody", *body), **attributes)
    return scrolling(whole, label)


def scrolling(content: Html, label: str) -> Html:
    """What may be wider than the page; who has no mouse scrolls it with the arrow keys."""
    return element("div", content, class_="scroll", tabindex=0, role="group", aria_label=label)


def percent(share: float, digits: int = 1) -> str:
    """A fraction for people; a dash if it is not a number."""
    return "–" if share != share else f"{100 * share:.{digits}f} %"


def _attribute(key: str, value: Any) -> str:
    return f" {key}" if value is True else f' {key}="{html.escape(str(value))}"'
