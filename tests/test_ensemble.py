"""The ensemble command: its figures, what it joins, and what it refuses."""

import dataclasses
import json
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rgbd_jax.ensemble import main
from rgbd_jax.errors import UserError
from rgbd_jax.report.metrics import zero_shot_figures, zero_shot_line
from rgbd_jax.report.scores import Scores, read_scores, write_scores

STREAMS = ("joint", "bone", "joint_motion", "bone_motion")
REFERENCE = json.loads((Path(__file__).parent / "golden" / "gap" / "ensemble.json").read_text())["results"]
# How the reference calls a data set, and how we do.
DATA_SETS = {
    "ntu_xsub": "ntu60",
    "ntu_xview": "ntu60",
    "ntu120_xsub": "ntu120",
    "ntu120_xset": "ntu120",
    "NW-UCLA": "nw_ucla",
}
CLASSES = tuple(f"gesture {k}" for k in range(8))


def make_scores(seed=0, count=40, split="test", accuracy=0.5, **changes) -> Scores:
    """Random scores of `count` clips, of which about `accuracy` are right; labels depend on the id alone."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int32) % 8
    logits = rng.normal(size=(count, 8)).astype(np.float32)
    logits[np.arange(count), labels] += np.where(rng.random(count) < accuracy, 4, 0).astype(np.float32)
    ids = np.array([f"{split}/clip{i:03d}" for i in range(count)])
    return dataclasses.replace(Scores(ids, logits, labels, CLASSES), split=split, **changes)


def permuted(scores, rows) -> Scores:
    return dataclasses.replace(
        scores, ids=scores.ids[rows], logits=scores.logits[rows], labels=scores.labels[rows]
    )


@pytest.fixture
def write(tmp_path):
    """Writes scores into a file, and gives its path as an argument."""

    def write(name, scores):
        write_scores(tmp_path / name, scores)
        return str(tmp_path / name)

    return write


@pytest.fixture
def figures(capsys):
    """Runs the command; top-1 and top-5 in percent by what the lines begin with."""

    def run(*arguments):
        main(list(arguments))
        printed = capsys.readouterr().out
        lines = re.findall(r"^(.+): top-1 (\d+\.\d{4}) %, top-5 (\d+\.\d{4}) %", printed, re.MULTILINE)
        found = {name: (float(top1), float(top5)) for name, top1, top5 in lines}
        return found | {"printed": printed}

    return run


def refused(*arguments) -> str:
    with pytest.raises(UserError) as caught:
        main(list(arguments))
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ---------------------------------------------------------------------- the reference


def published_scores(golden, case, stream) -> tuple[np.ndarray, np.ndarray]:
    arrays = golden("gap/ensemble.npz")
    return arrays[f"{case}_{stream}"], arrays[f"{case}_label"]


@pytest.mark.parametrize("case", DATA_SETS)
@pytest.mark.parametrize("kind", ["npz", "pkl"])
def test_the_published_ensembles_are_reproduced(golden, tmp_path, figures, case, kind):
    """From files of ours, whose samples lie in another order in each, and from the published program's."""
    files, options = [], []
    for number, stream in enumerate(STREAMS):
        logits, labels = published_scores(golden, case, stream)
        path = tmp_path / f"{stream}.{kind}"
        if kind == "npz":
            names = tuple(f"action {k}" for k in range(logits.shape[1]))
            ids = np.array([f"clip{i}" for i in range(len(labels))])
            scores = Scores(ids, logits, labels, names, DATA_SETS[case], "test", stream)
            write_scores(path, permuted(scores, np.random.default_rng(number).permutation(len(ids))))
        else:
            keys = np.arange(len(labels))
            if case != "NW-UCLA":
                keys = [f"test_{i}" for i in keys]
            content = pickle.dumps(dict(zip(keys, logits, strict=True)), protocol=2 + number)
            if number == 0:
                content = content.replace(b"numpy._core", b"numpy.core")  # as NumPy 1 names it
            path.write_bytes(content)
        files.append(str(path))
    if kind == "pkl":
        source = tmp_path / ("val_label.pkl" if case == "NW-UCLA" else "NTU.npz")
        write_published_labels(source, labels, num_classes=logits.shape[1])
        options = [f"--labels={source}"]
    # Score pickles do not say what they are.
    four = ["--weights=0.8,0.8,0.2,0.2"] if kind == "pkl" else []

    joint, bone, _, bone_motion = files
    found = {
        "jb": figures(joint, bone, *options),
        "jb_alpha0.5": figures(joint, bone, "--weights=1,0.5", *options),
        "jb_bm_ignored": figures(joint, bone, bone_motion, "--weights=1,1,0", *options),
        "four": figures(*files, *four, *options),
        "four_ctrgcn_weights": figures(*files, "--weights=0.6,0.6,0.4,0.4", *options),
    }
    for name, lines in found.items():
        assert lines["ensemble"] == pytest.approx(REFERENCE[f"{case}/{name}"], abs=1e-4), name


def write_published_labels(path, labels, num_classes):
    if path.suffix == ".pkl":
        clips = [{"file_name": f"clip{i}", "length": 9, "label": int(k) + 1} for i, k in enumerate(labels)]
        path.write_bytes(pickle.dumps(clips))
    else:
        np.savez(path, y_train=np.eye(num_classes)[[0, 0]], y_test=np.eye(num_classes)[labels])


def test_a_pickle_of_the_published_program_gives_its_accuracy(golden, tmp_path, figures):
    folder = Path(__file__).parent / "golden" / "gap" / "evaluation"
    inputs = golden("gap/evaluation/inputs.npz")
    write_published_labels(tmp_path / "NTU.npz", inputs["labels"], num_classes=inputs["scores"].shape[1])
    # Its folder will do, as a run's does.
    found = figures(str(folder), f"--labels={tmp_path / 'NTU.npz'}")
    assert found[str(folder / "epoch1_test_score.pkl")][0] == pytest.approx(
        100 * float(inputs["accuracy"]), abs=1e-4
    )


@pytest.mark.parametrize(
    "streams, expected",
    [
        (("joint", "bone"), (1, 1)),
        (("bone", "joint"), (1, 1)),
        (("joint_motion", "bone", "joint"), (0.4, 0.6, 0.6)),
        (("bone_motion", "joint_motion", "bone", "joint"), (0.2, 0.2, 0.8, 0.8)),
        (("joint", "bone", "bone_motion"), (1, 1, 1)),
        (("joint", "joint", "bone"), (1, 1, 1)),
        (("joint", "bone", "joint_motion", "bone_motion", "rgb"), (1, 1, 1, 1, 1)),
    ],
)
def test_published_weights_follow_the_streams(write, figures, streams, expected):
    files = [
        write(f"{number}.npz", make_scores(number, data_set="ntu120", stream=stream))
        for number, stream in enumerate(streams)
    ]
    weights = re.findall(r"weight (\S+)$", figures(*files)["printed"], re.MULTILINE)
    assert tuple(map(float, weights)) == expected


@pytest.mark.parametrize("unknown", [{"data_set": ""}, {"stream": ""}, {"data_set": "synthetic"}])
def test_other_files_weigh_the_same(write, figures, unknown):
    said = {"data_set": "ntu60"}
    files = [
        write(f"{stream}.npz", make_scores(0, **(said | {"stream": stream} | unknown))) for stream in STREAMS
    ]
    assert figures(*files)["printed"].count("weight 1\n") == 4


# ---------------------------------------------------------------------- joining


def test_modalities_join_by_id(write, figures, tmp_path):
    """Colour, depth and skeletons: other data sets, other orders; the sum is better than each."""
    rng = np.random.default_rng(5)
    scores = {
        stream: make_scores(seed, count=400, data_set=data_set, stream=stream)
        for seed, (stream, data_set) in enumerate(
            {"joint": "ntu60", "rgb": "ntu_rgbd", "depth": "ntu_rgbd"}.items()
        )
    }
    files = [
        write(f"{stream}.npz", permuted(found, rng.permutation(400))) for stream, found in scores.items()
    ]
    found = figures(*files, f"--output={tmp_path / 'joint' / 'all.npz'}")
    expected = sum(part.logits for part in scores.values())
    accuracy = 100 * np.mean(expected.argmax(axis=1) == scores["joint"].labels)
    assert found["ensemble"][0] == pytest.approx(accuracy, abs=1e-4)
    for path, part in zip(files, scores.values(), strict=True):
        assert found[path][0] == pytest.approx(
            100 * np.mean(part.logits.argmax(axis=1) == part.labels), abs=1e-4
        )
        assert found[path][0] < found["ensemble"][0]
    assert found["printed"].endswith(" of 400 samples\n")

    written = read_scores(tmp_path / "joint" / "all.npz")
    assert written.ids.tolist() == scores["joint"].ids.tolist()
    np.testing.assert_allclose(written.logits, expected, rtol=1e-5, atol=1e-6)
    assert (written.data_set, written.split, written.stream) == ("", "test", "joint+rgb+depth")


def test_the_order_of_samples_changes_nothing(write, figures, tmp_path):
    first, second = (make_scores(seed, count=60) for seed in (0, 1))
    outputs = []
    for seed in range(3):
        files = [
            write("a.npz", first),
            write("b.npz", permuted(second, np.random.default_rng(seed).permutation(60))),
        ]
        outputs.append(figures(*files, f"--output={tmp_path / f'{seed}.npz'}")["printed"])
    assert outputs[0] == outputs[1] == outputs[2]
    assert (tmp_path / "0.npz").read_bytes() == (tmp_path / "2.npz").read_bytes()


def test_common_joins_what_all_files_have(write, figures):
    scores = [make_scores(seed) for seed in range(3)]
    kept = [np.arange(40), np.arange(2, 40), np.arange(37)]
    files = [
        write(f"{seed}.npz", permuted(scores[seed], rows)) for seed, rows in zip(range(3), kept, strict=True)
    ]
    assert "1.npz: has other samples than" in refused(*files)
    found = figures(*files, "--common")
    for path, lost in zip(files, ("5 of 40", "3 of 38", "2 of 37"), strict=True):
        assert f"{path}: {lost} samples left out\n" in found["printed"]
    logits = sum(part.logits[2:37] for part in scores)
    accuracy = 100 * np.mean(logits.argmax(axis=1) == scores[0].labels[2:37])
    assert found["ensemble"][0] == pytest.approx(accuracy, abs=1e-4)
    assert found["printed"].endswith(" of 35 samples\n")


def test_a_run_stands_for_its_score_files(tmp_path, figures):
    run, single = tmp_path / "all", tmp_path / "rgb"
    for seed, stream in enumerate(STREAMS):
        folder = run / "eval" / stream
        write_scores(folder / "scores.npz", make_scores(seed, data_set="nw_ucla", stream=stream))
    write_scores(run / "eval" / "scores.npz", make_scores(9))
    write_scores(single / "eval" / "scores.npz", make_scores(4, stream="rgb"))
    lines = figures(str(run))["printed"].splitlines()
    for line, stream, weight in zip(lines, STREAMS, ("0.8", "0.8", "0.2", "0.2"), strict=False):
        assert line.startswith(f"{run / 'eval' / stream / 'scores.npz'}: ") and line.endswith(
            f"weight {weight}"
        )
    assert len(figures(str(run), str(single), "--weights=1,1,1,1,2")["printed"].splitlines()) == 6
    assert "holds no scores" in refused(str(tmp_path), str(single))


@pytest.fixture
def score_pickle(tmp_path):
    """Writes logits as a score pickle with the given keys."""

    def write(name, keys, logits):
        (tmp_path / name).write_bytes(pickle.dumps(dict(zip(keys, logits, strict=True)), protocol=4))
        return str(tmp_path / name)

    return write


def test_pickles_join_with_our_files_by_name(write, score_pickle, tmp_path, figures):
    """On NW-UCLA the labels' file says which clip has which place."""
    ours, theirs = make_scores(0), make_scores(1)
    order = np.random.default_rng(2).permutation(40)
    pickled = score_pickle("epoch1_test_score.pkl", np.arange(40), theirs.logits[order])
    names = theirs.ids[order].tolist()
    clips = [{"file_name": name, "label": int(theirs.labels[i]) + 1} for name, i in zip(names, order)]  # noqa: B905
    (tmp_path / "val_label.pkl").write_bytes(pickle.dumps(clips))
    path = write("ours.npz", ours)
    expected = 100 * np.mean((ours.logits + theirs.logits).argmax(axis=1) == ours.labels)
    for files in ((path, pickled), (pickled, path)):
        found = figures(*files, f"--labels={tmp_path / 'val_label.pkl'}")
        assert found["ensemble"][0] == pytest.approx(expected, abs=1e-4)
    assert "40 of its 40 samples have no label in" in refused(path, pickled)


def test_a_pickle_whose_samples_have_names_takes_labels_of_our_files(write, score_pickle, figures):
    ours, theirs = make_scores(0), make_scores(1)
    path = write("ours.npz", ours)
    rows = np.arange(40)[::-1]
    found = figures(score_pickle("named.pkl", theirs.ids[rows].tolist(), theirs.logits[rows]), path)
    expected = 100 * np.mean((ours.logits + theirs.logits).argmax(axis=1) == ours.labels)
    assert found["ensemble"][0] == pytest.approx(expected, abs=1e-4)
    more = score_pickle("more.pkl", [*theirs.ids.tolist(), "new"], [*theirs.logits, theirs.logits[0]])
    assert "more.pkl: 1 of its 41 samples have no label in" in refused(path, more)
    assert "more.pkl: 1 of 41 samples left out" in figures(path, more, "--common")["printed"]


# ---------------------------------------------------------------------- search


def two_splits(write, count=400):
    """A good network and a bad one that is loud, on two splits; and the good one's accuracy on the first."""
    files = []
    for split in ("test", "valid"):
        good = make_scores(len(split), count, split, accuracy=0.9, data_set="x", stream="rgb")
        bad = make_scores(len(split) + 7, count, split, accuracy=0.1, data_set="x", stream="depth")
        bad = dataclasses.replace(bad, logits=3 * bad.logits)
        files.append([write(f"{split}_{scores.stream}.npz", scores) for scores in (good, bad)])
    return files


@pytest.mark.parametrize("form", ["comma", "words", "repeated", "equals"])
def test_search_finds_weights_on_another_split(write, figures, form):
    reported, tuning = two_splits(write)
    options = {
        "comma": [f"--search_on={','.join(tuning)}"],
        "words": ["--search_on", *tuning],
        "repeated": [f"--search_on={file}" for file in tuning],
        "equals": [f"--search_on={tuning[0]}", tuning[1]],
    }[form]
    plain, searched = figures(*reported), figures(*reported, "--search", *options)
    weights = tuple(map(float, re.findall(r"weight (\S+)$", searched["printed"], re.MULTILINE)))
    assert sum(weights) == pytest.approx(1)
    assert weights[0] > 0.7
    assert searched["ensemble"][0] > plain["ensemble"][0] + 10
    # What was found depends on the other split alone: found there, it is the best there.
    there = figures(*tuning, f"--weights={weights[0]},{weights[1]}")["ensemble"]
    assert (
        f"searched on 400 samples: top-1 {there[0]:.4f} %, top-5 {there[1]:.4f} % there"
        in (searched["printed"])
    )
    for step in range(21):
        other = figures(*tuning, f"--weights={step / 20},{1 - step / 20}")["ensemble"]
        assert other[0] <= there[0]


def test_search_keeps_weights_that_cannot_be_bettered(write, figures):
    perfect = [make_scores(seed, split="valid", accuracy=1.1, data_set="ntu60") for seed in range(4)]
    for scores in perfect:
        scores.logits[np.arange(40), scores.labels] += 10
    reported = [
        write(f"{stream}.npz", make_scores(seed, data_set="ntu60", stream=stream))
        for seed, stream in enumerate(STREAMS)
    ]
    tuning = [write(f"valid_{seed}.npz", scores) for seed, scores in enumerate(perfect)]
    found = figures(*reported, "--search", "--search_on", *tuning)
    weights = [float(weight) for weight in re.findall(r"weight (\S+)$", found["printed"], re.MULTILINE)]
    assert weights == pytest.approx([0.4, 0.4, 0.1, 0.1])
    assert found["ensemble"] == figures(*reported)["ensemble"]


def test_search_refuses_what_is_reported(write):
    reported, tuning = two_splits(write)
    search = ("--search", "--search_on")
    assert "is of the split test that is reported" in refused(*reported, *search, *reported)
    # Without a word on the split, or under another name, the ids tell.
    nameless = [
        write(f"{number}.npz", dataclasses.replace(read_scores(Path(file)), split="", data_set=""))
        for number, file in enumerate(reported)
    ]
    assert "400 of 400 samples are among those that are reported" in refused(*reported, *search, *nameless)
    assert "found 1 files; one for each of 2" in refused(*reported, *search, tuning[0])
    assert "the same order is needed" in refused(*reported, *search, *tuning[::-1])
    assert "need each other" in refused(*reported, "--search")
    assert "need each other" in refused(*reported, *search[1:], *tuning)
    assert "not allowed with --search" in refused(*reported, *search, *tuning, "--weights=1,1")
    classes = tuple(f"action {k}" for k in range(8))
    others = [
        write(f"other{number}.npz", dataclasses.replace(read_scores(Path(file)), class_names=classes))
        for number, file in enumerate(tuning)
    ]
    assert "class 0 is 'action 0'" in refused(*reported, *search, *others)


@pytest.mark.parametrize("count", [1, 3, 5, 7])
def test_search_takes_any_number_of_files(write, figures, count):
    reported = [write(f"{seed}.npz", make_scores(seed)) for seed in range(count)]
    tuning = [write(f"valid{seed}.npz", make_scores(seed, split="valid")) for seed in range(count)]
    printed = figures(*reported, "--search", "--search_on", *tuning)["printed"]
    weights = [float(weight) for weight in re.findall(r"weight (\S+)$", printed, re.MULTILINE)]
    assert sum(weights) == pytest.approx(1, abs=1e-5) and min(weights) >= 0  # six digits are printed
    found, default = map(float, re.findall(r"top-1 (\S+) %", printed.splitlines()[0]))
    assert found >= default


# ---------------------------------------------------------------------- mistakes


def test_files_that_do_not_belong_together_are_refused(write):
    good = make_scores(0)
    path = write("good.npz", good)

    def refusal(**changes):
        return refused(path, write("other.npz", dataclasses.replace(good, **changes)))

    ids = good.ids.copy()
    ids[[3, 5]] = "test/new3", "test/new5"
    message = refusal(ids=ids)
    assert "other.npz: has other samples than" in message
    assert "2 more, 2 lacking, the first is test/new3; --common joins" in message
    assert "no sample is in all 2 files" in refused(
        path, write("x.npz", make_scores(1, split="x")), "--common"
    )

    labels = good.labels.copy()
    labels[7] = 2
    message = refusal(labels=labels)
    assert "1 samples have another label than in" in message
    assert "test/clip007: 2 (gesture 2), not 7 (gesture 7)" in message

    message = refusal(class_names=(*CLASSES[:3], "wave", *CLASSES[4:]))
    assert "other.npz: class 3 is 'wave'; in " in message and "it is 'gesture 3'" in message
    message = refusal(class_names=(*CLASSES, "more"), logits=np.zeros((40, 9), np.float32))
    assert "other.npz: has 9 classes; " in message and "good.npz has 8" in message

    message = refusal(held_out=CLASSES[:2])
    assert "other.npz: the classes held out from training are gesture 0, gesture 1; in " in message
    assert message.endswith("they are none")


def test_of_held_out_classes_the_zero_shot_figures_are_printed(write, figures):
    """Equal files sum up to twice the scores of one."""
    scores = make_scores(held_out=CLASSES[:2])
    paths = [write(f"{number}.npz", scores) for number in range(2)]
    assert zero_shot_line(zero_shot_figures(scores)) in figures(*paths)["printed"].splitlines()


@pytest.mark.parametrize(
    "argument, message",
    [
        ("--weights=1", "found 1 weights; one for each of 2 files"),
        ("--weights=1,1,1", "found 3 weights; one for each of 2 files"),
        ("--weights=1,half", "numbers with commas are needed"),
        ("--weights=", "numbers with commas are needed"),
        ("--weights=1,nan", "none below 0"),
        ("--weights=1,-1", "none below 0"),
        ("--weights=0,0", "not all 0"),
        ("--output=joint.pkl", "the name must end in .npz"),
        ("nowhere.npz", "nowhere.npz: there is no such score file"),
        ("nowhere.pkl", "nowhere.pkl: there is no such file"),
        ("--labels=nowhere.npz", "nowhere.npz: there is no such score file"),
        ("--dataset=ntu", "unrecognized arguments"),
    ],
)
def test_mistakes_in_the_arguments_are_named(write, monkeypatch, tmp_path, argument, message):
    monkeypatch.chdir(tmp_path)
    files = [write(f"{seed}.npz", make_scores(seed)) for seed in range(2)]
    assert message in refused(*files, argument)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.npz", "1.npz"]


class Intruder:
    """Pickled, this asks for a file to be made when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


def test_no_pickle_runs_anything(write, tmp_path):
    path = tmp_path / "bad.pkl"
    path.write_bytes(pickle.dumps({"test_0": Intruder(tmp_path / "made")}))
    assert "bad.pkl: asks for pathlib" in refused(str(path), write("good.npz", make_scores()))
    assert not (tmp_path / "made").exists()
    path.write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    assert "bad.pkl: asks for os.system" in refused(str(path), f"--labels={path}")


def test_a_faulty_score_pickle_is_named(write, score_pickle, tmp_path):
    good = write("good.npz", make_scores())
    row = np.zeros(8, np.float32)
    cases = [
        ([], [], "holds an empty dict"),
        ([1.5], [row], "a sample is called by a float"),
        (["a"], ["text"], "sample a has a str"),
        (["a"], [row.astype(int)], "sample a has an array of type int64"),
        (["a"], [row[None]], "and shape (1, 8)"),
        (["a", "b"], [row, row[:7]], "sample b has 7 scores, not 8"),
        (["a"], [row * np.nan], "sample a has scores that are not finite"),
        (["test_1", 1], [row, row], "names a sample twice"),
    ]
    with np.errstate(invalid="ignore"):
        for keys, rows, message in cases:
            assert message in refused(score_pickle("bad.pkl", keys, rows), good)
    for content in (b"", b"no pickle", pickle.dumps({"a": row})[:-20]):
        (tmp_path / "bad.pkl").write_bytes(content)
        assert "bad.pkl: is no pickle that can be read" in refused(str(tmp_path / "bad.pkl"), good)
    (tmp_path / "bad.pkl").write_bytes(pickle.dumps([row]))
    assert "bad.pkl: holds a list" in refused(str(tmp_path / "bad.pkl"), good)
    (tmp_path / "bad.pkl").write_bytes(pickle.dumps({"test_0": [[0.5], [0.5, 1.0]]}))
    assert "bad.pkl: sample test_0 has a list" in refused(str(tmp_path / "bad.pkl"), good)


def test_missing_and_unfit_labels_are_named(write, score_pickle, tmp_path):
    scores = make_scores()
    places = [f"test_{i}" for i in range(40)]
    pickled = score_pickle("joint.pkl", places, scores.logits)
    assert "score pickles have no labels; name the file" in refused(pickled, pickled)
    labels = tmp_path / "labels.npz"
    cases = [
        (np.eye(8)[scores.labels[:39]], "1 of its 40 samples have no label in"),
        (np.eye(9)[scores.labels], "joint.pkl: has 8 classes; "),
        (np.zeros((40, 8)), "y_test is not one-hot"),
        (np.full((40, 8), "1"), "y_test is not one-hot"),
    ]
    for one_hot, message in cases:
        np.savez(labels, y_test=one_hot)
        assert message in refused(pickled, f"--labels={labels}")
    np.savez(labels, y_train=np.eye(9)[:1], y_test=np.eye(8)[scores.labels])
    assert "y_test has 8 classes, the other 9" in refused(pickled, f"--labels={labels}")
    np.savez(labels, x_test=np.zeros(3))
    assert "labels.npz: lacks ids" in refused(pickled, f"--labels={labels}")
    for clips, message in (
        ([{"file_name": "a"}], "holds no labels"),
        ([{"file_name": "a", "label": 9}] * 40, "labels [8] lie outside 0 to 7"),
        ([{"file_name": "a", "label": 8}] * 40, "id a occurs 40 times"),
    ):
        (tmp_path / "val_label.pkl").write_bytes(pickle.dumps(clips))
        assert message in refused(pickled, f"--labels={tmp_path / 'val_label.pkl'}")


def test_a_mistake_ends_with_status_2_and_one_line(write):
    files = [write(f"{split}.npz", make_scores(split=split)) for split in ("a", "b")]
    command = [sys.executable, "-W", "error", "-m", "rgbd_jax.ensemble", *files]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert re.fullmatch(r"error: \S+b.npz: has other samples than \S+a.npz: .*\n", ended.stderr)
