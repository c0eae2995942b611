"""The section of how the run was made."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rgbd_jax.report.page.markup import Html, element, joined, table

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Origin:
    """Where an evaluation comes from.

    Attributes:
      run: the name of the run's folder.
      config: every key of the config that the network was trained with, by its dotted name.
      changed: keys that had another value in this evaluation, and this value.
      step, epoch: of the checkpoint; the epoch counts from 0.
      num_parameters: of the network.
      sessions: one for each time that the training was begun or gone on with: started, step, device,
        versions, commit; empty if that was not recorded.
      evaluated: the same of the evaluation.
    """

    run: str
    config: Mapping[str, Any]
    changed: Mapping[str, Any]
    step: int
    epoch: int
    num_parameters: int
    sessions: Sequence[Row]
    evaluated: Row


def origin_section(origin: Origin, rows: Sequence[Row]) -> Html:
    """Facts, the sessions of the training, and the whole config.

    Args:
      rows: of `metrics.jsonl`.
    """
    config = origin.config
    hours = training_hours(rows, config["batch_size"])
    # Of weights that come from elsewhere, the steps may not be known.
    steps = f"step {origin.step:,}, epoch {origin.epoch + 1} of {config['num_epochs']}"
    facts = {
        "run": origin.run,
        "checkpoint": steps if origin.step else "of an unknown number of steps",
        "seed": config["seed"],
        "batch size": config["batch_size"],
        "parameters": f"{origin.num_parameters:,}",
        "time in training steps": "not known" if hours is None else _duration(hours),
    }
    parts = [
        element(
            "dl",
            *(element("div", element("dt", name), element("dd", value)) for name, value in facts.items()),
        )
    ]
    sessions = [("training", row) for row in origin.sessions] + [("evaluation", origin.evaluated)]
    parts.append(
        table(
            "sessions",
            ("", "began (UTC)", "at step", "device", "commit", "versions"),
            map(_session, sessions),
            class_="sessions",
        )
    )
    if not origin.sessions:
        text = "On what the training ran, and with which versions, was not recorded."
        parts.append(element("p", text, class_="note"))
    if origin.changed:
        parts.append(element("h3", "Changed for this evaluation"))
        entries = [_codes(key, config.get(key), value) for key, value in origin.changed.items()]
        header = ("key", "of the run", "of this evaluation")
        parts.append(table("keys changed for this evaluation", header, entries, class_="config"))
    keys = table(
        "keys of the config", ("key", "value"), (_codes(*item) for item in config.items()), class_="config"
    )
    parts.append(element("details", element("summary", f"All {len(config)} keys of the run's config"), keys))
    return joined(parts)


def training_hours(rows: Sequence[Row], batch_size: int) -> float | None:
    """Hours that the steps of the logged epochs took, without compilation and validation.

    Returns:
      None if no epoch says how fast it was.
    """
    seconds, before = [], 0
    for row in rows:
        if row["kind"] != "epoch" or row["split"] != "train":
            continue
        if row.get("samples_per_s"):
            seconds.append((row["step"] - before) * batch_size / row["samples_per_s"])
        before = row["step"]
    return sum(seconds) / 3600 if seconds else None


def _session(named: tuple[str, Row]) -> tuple[Any, ...]:
    what, row = named
    versions = ", ".join(f"{name} {version}" for name, version in row["versions"].items())
    commit = element("code", row["commit"]) if row.get("commit") else "not known"
    return what, row["started"], row.get("step", ""), row["device"], commit, versions


def _codes(key: str, *values: Any) -> list[Html]:
    return [element("code", text) for text in (key, *map(json.dumps, values))]


def _duration(hours: float) -> str:
    return f"{hours:.1f} hours" if hours >= 1 else f"{60 * hours:.1f} minutes"
