"""What a run leaves in its folder."""

import json

# What evaluation writes, beside pictures.
EVALUATION = {
    "metrics.json",
    "scores.npz",
    "errors.csv",
    "per_class.csv",
    "confusion_matrix.csv",
    "confusion_matrix.png",
}


def rows(run, **chosen):
    """The rows of metrics.jsonl with these values, without what depends on the machine's speed."""
    found = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    found = [row for row in found if chosen.items() <= row.items()]
    return [{key: row[key] for key in row if key not in ("samples_per_s", "data_wait")} for row in found]
