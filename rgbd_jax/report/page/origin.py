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
      config: every key of the config with its value, by its dotted name.
      step, epoch: of the checkpoint; the epoch counts from 0.
      num_parameters: of the network.
      sessions: one for each time that the training was begun or gone on with: started, step, device,
        versions, commit; empty if that was not recorded.
      evaluated: the same of the evaluation.
    """

    run: str
    config: Mapping[str, Any]
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
            ("", "began (UTC)", "at step", "device", "commit", "versions"),
            map(_session, sessions),
            class_="sessions",
        )
    )
    if not origin.sessions:
        text = "On what the training ran, and with which versions, was not recorded."
        parts.append(element("p", text, class_="note"))
    entries = [(element("code", key), element("code", json.dumps(value))) for key, value in config.items()]
    keys = table(("key", "value"), entries, class_="config")
    parts.append(element("details", element("summary", f"All {len(entries)} keys of the config"), keys))
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


def _duration(hours: float) -> str:
    return f"{hours:.1f} hours" if hours >= 1 else f"{60 * hours:.1f} minutes"
