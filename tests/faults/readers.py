"""The readers of files that come from elsewhere, and files that each of them reads, small and in order."""

import gzip
import io
import json
import pickle
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import cv2
import numpy as np
from data.skeleton_files import person, skeleton_text
from data.video_files import frame, write_video
from golden import motion_cases
from golden.weights import golden_array
from weight_files import write_safetensors

from rgbd_jax import config as configs
from rgbd_jax.data import images
from rgbd_jax.data.builders.builder import Builder
from rgbd_jax.data.builders.custom import Custom
from rgbd_jax.data.builders.custom_skeletons import CustomSkeletons
from rgbd_jax.data.builders.isogd import Isogd
from rgbd_jax.data.builders.jester import Jester
from rgbd_jax.data.builders.ntu_rgbd import NtuRgbd
from rgbd_jax.data.builders.nvgesture import Nvgesture
from rgbd_jax.data.builders.thu_read import ThuRead
from rgbd_jax.data.class_folders import Division, write_lists
from rgbd_jax.data.clip_errors import ClipErrors
from rgbd_jax.data.formats.frame_folder import FrameFolder
from rgbd_jax.data.formats.video_file import VideoFile
from rgbd_jax.data.joint_files import read_joints
from rgbd_jax.data.journal import Journal
from rgbd_jax.data.left_out import LeftOut
from rgbd_jax.data.ntu.actors import NoActor, centre
from rgbd_jax.data.ntu.annotations import Annotations
from rgbd_jax.data.ntu.archives import Archives
from rgbd_jax.data.ntu.edition import NTU60
from rgbd_jax.errors import UserError
from rgbd_jax.provenance import read_sessions
from rgbd_jax.recordings import make_reader, parse_given
from rgbd_jax.report.logs import read_rows
from rgbd_jax.report.published_scores import labelled, read_labels, read_score_pickle
from rgbd_jax.report.scores import Scores, read_scores, write_scores
from rgbd_jax.run_folder import claim_workdir
from rgbd_jax.text.features import read_features, write_features
from rgbd_jax.text.gap_prompts import read_gap_prompts
from rgbd_jax.text.prompts import prompt_file, read_prompts
from rgbd_jax.text.tokenizer import Tokenizer
from rgbd_jax.weights.published import read_published
from rgbd_jax.weights.tensors import read_tensors

NAMES = ("wave", "sit down")


class Reader(NamedTuple):
    """A reader of one kind of file.

    Attributes:
      file: the name of the file that it reads, below a folder of its own.
      examples: files that it reads without a complaint.
      read: is called with the path of the file.
      refusals: beside UserError and OutsideError, what it may raise as its docstring says.
      beside: other files that it reads, by their names.
    """

    file: str
    examples: Sequence[bytes]
    read: Callable[[Path], Any]
    refusals: tuple[type[Exception], ...] = ()
    beside: Mapping[str, str] = MappingProxyType({})


def readers(folder: Path) -> dict[str, Reader]:
    """All of them by name. `folder` takes what they need beside their file."""
    return dict(_readers(folder))


def _readers(folder: Path) -> Iterator[tuple[str, Reader]]:
    yield from _joints()
    yield from _lists(folder)
    yield from _of_runs(folder)
    yield from _scores(folder)
    yield from _texts(folder)
    yield from _weights(folder)
    yield from _frames(folder)


def _joints() -> Iterator[tuple[str, Reader]]:
    def read(path: Path) -> np.ndarray:
        return centre(read_joints(path), 0)

    two = [{"7": person(seed=n), "8": person(1.0, seed=n)} for n in range(13)]
    captures = [
        skeleton_text(two),
        skeleton_text([{}, {"7": person()}, {"7": person(2)}]),
    ]
    captures.append(captures[0].replace("\n", "\r\n"))
    yield "NTU's .skeleton", Reader("S001C001P001R001A001.skeleton", _encoded(captures), read, (NoActor,))
    clips = [{"file_name": "a", "skeletons": joints.tolist()} for joints in (_joints_of(2), _joints_of(5))]
    yield "NW-UCLA's .json", Reader("clip.json", _encoded(map(json.dumps, clips)), read, (NoActor,))
    archives = [_npz(joints=_joints_of(3)), _npz(joints=_joints_of(2)[:, None].astype(np.float64))]
    yield "joints .npz", Reader("clip.npz", archives, read, (NoActor,))

    reader = make_reader(configs.load_file("configs/gap/nw_ucla.py:joint,debug"), NAMES)
    for ending, examples in ((".npz", archives), (".json", _encoded(map(json.dumps, clips)))):
        yield (
            f"recordings {ending}",
            Reader(f"clip{ending}", examples, lambda path: reader.row(reader.read(parse_given(str(path))))),
        )
    one_hot, rows = np.eye(60)[[3, 7]], np.tile(_joints_of(4, 50).reshape(1, 4, 150), (2, 1, 1))
    both = {
        f"{name}_{part}": array for part in ("train", "test") for name, array in (("x", rows), ("y", one_hot))
    }

    def read_all(source: Any) -> None:
        for item in source.items():
            try:
                source.splits(item), source.read(item)
            except (UserError, LeftOut):
                continue

    yield (
        "NTU's .npz",
        Reader("NTU60_CS.npz", [_npz(**both)], lambda path: read_all(Archives([path], NTU60)), (LeftOut,)),
    )
    names = ("S001C001P001R001A001", "S001C002P003R001A002")
    notes = {
        "split": {"xsub_train": [names[0]], "xsub_val": [names[1]]},
        "annotations": [
            {
                "frame_dir": name,
                "label": label,
                "keypoint": _joints_of(4, 25)[None].astype(np.float16),
                "total_frames": 4,
            }
            for label, name in enumerate(names)
        ],
    }
    yield (
        "PYSKL's .pkl",
        Reader("ntu60_3danno.pkl", _pickled(notes), lambda path: read_all(Annotations(path, NTU60))),
    )


def _lists(folder: Path) -> Iterator[tuple[str, Reader]]:
    def reader(
        name: str, builder: type[Builder], file: str, lines: Sequence[str], **beside: str
    ) -> tuple[str, Reader]:
        def read(path: Path) -> None:
            opened = builder(data_dir=folder / "data", source=path.parents[file.count("/")])
            _ = opened.class_names
            for item in opened.items():
                try:
                    opened.split_of(item), opened.read(item)
                except (UserError, LeftOut):
                    continue

        examples = _encoded(["\n".join(lines), lines[0] + "\r\n"])
        return name, Reader(
            file, examples, read, beside={f"{name}.txt": text for name, text in beside.items()}
        )

    frames = "dataset_splits/train.txt"
    yield reader("list of custom", Custom, frames, ["a/b 3 0", "a c all 1"], classes="\n".join(NAMES))
    yield reader(
        "classes of custom", Custom, "classes.txt", NAMES, **{"dataset_splits/train": "a 3 0\nb 4 1"}
    )
    yield reader(
        "list of custom_skeletons",
        CustomSkeletons,
        frames,
        ["a/b 3 0", "a c all 1"],
        classes="\n".join(NAMES),
    )
    yield reader(
        "NVGesture's list",
        Nvgesture,
        "nvgesture_train_correct_cvpr2016_v2.lst",
        [
            f"path:./Video_data/class_01/s{n}_r0 depth:sk_depth:1:8 color:sk_color:1:8 label:1"
            for n in range(3)
        ],
    )
    yield reader("NVGesture's frames", Nvgesture, frames, ["class_01/s1_r0 3 0", "class_02/s1_r0 3 1"])
    yield reader(
        "IsoGD's list", Isogd, "train_list.txt", ["train/001/M_1.avi train/001/K_1.avi 1", "t/M_2 t/K_2 249"]
    )
    yield reader("IsoGD's frames", Isogd, frames, ["train/001/M_00001 3 0", "train/002/K_00001 3 9"])
    yield reader("Jester's list", Jester, "jester-v1-train.csv", ["1;Thumb Up", "2;Stop Sign"])
    yield reader(
        "THU-READ's list",
        ThuRead,
        "dataset_splits/@1/train.txt",
        ["RGB/RGB_a_1 3 0", "  RGB_b_2 3 33", "c 3 1"],
    )
    yield reader(
        "NTU RGB+D's list",
        NtuRgbd,
        "dataset_splits/@CS/train.txt",
        ["S001C001P001R001A001_rgb 3 0", "S001C001P002R001A002_rgb 3 1"],
    )

    def make_lists(path: Path) -> None:
        shutil.rmtree(path.parent / "dataset_splits", ignore_errors=True)
        write_lists(path.parent, ["wave/a", "wave/b", "sit down/c", "sit down/d"], Division("random"))

    yield (
        "lists of one's own",
        Reader("classes.txt", _encoded(["\n".join(NAMES), "sit down\nwave\nrun\n"]), make_lists),
    )


def _of_runs(folder: Path) -> Iterator[tuple[str, Reader]]:
    row = {"kind": "step", "split": "train", "step": 1, "epoch": 0, "loss": 0.5, "top1": 0.25}
    rows = [row, row | {"kind": "epoch", "step": 2, "loss": None}, row | {"kind": "skipped", "ids": ["a"]}]
    yield "metrics.jsonl", Reader("metrics.jsonl", [_lines(rows)], read_rows)
    session = {
        "step": 0,
        "started": "2026-01-01 00:00:00",
        "device": "1 x cpu",
        "processes": 1,
        "versions": {"jax": "0.10"},
        "commit": "",
    }
    yield (
        "sessions.jsonl",
        Reader(
            "sessions.jsonl",
            [_lines([session, session | {"step": 4}])],
            lambda path: read_sessions(path.parent),
        ),
    )
    left_out = [
        {"split": "train", "id": "a", "reason": "damaged"},
        {"split": "test", "id": "b", "reason": "cut"},
    ]
    yield (
        "data_errors.jsonl",
        Reader("data_errors.jsonl", [_lines(left_out)], lambda path: ClipErrors("skip", path, "train").ids),
    )
    config = configs.load_file("configs/demo.py:debug")
    yield (
        "config.json",
        Reader(
            "config.json", [configs.to_json(config).encode()], lambda path: claim_workdir(path.parent, config)
        ),
    )

    def read_journal(path: Path) -> None:
        journal = Journal(path.parent)
        journal.find("a"), journal.find("b")

    with Journal(folder / "journal") as journal:
        journal.add("a", np.ones((2, 3), np.float32))
        journal.add("b", np.zeros((1, 2, 3), np.float32))
    (kept,) = (folder / "journal").iterdir()
    yield "journal", Reader("entries", [kept.read_bytes()], read_journal)


def _scores(folder: Path) -> Iterator[tuple[str, Reader]]:
    ids = np.array(["test_0", "test_1", "test_2"])
    logits = golden_array("scores", (3, 2))
    scores = Scores(ids, logits, np.array([0, 1, 1], np.int32), NAMES, "nw_ucla", "test", "joint")
    write_scores(folder / "scores.npz", scores)
    written = (folder / "scores.npz").read_bytes()
    yield (
        "scores .npz",
        Reader(
            "scores.npz",
            [written, _npz(ids=ids, logits=logits, labels=scores.labels, class_names=np.array(NAMES))],
            read_scores,
        ),
    )
    pickles = [*_pickled(dict(zip(ids.tolist(), logits, strict=True))), *_pickled(dict(enumerate(logits)))]
    yield "score pickle", Reader("epoch1_test_score.pkl", pickles, read_score_pickle)
    unlabelled = folder / "unlabelled.pkl"
    unlabelled.write_bytes(pickles[0])

    def label(path: Path) -> None:
        labelled("scores", read_score_pickle(unlabelled), read_labels(path), (), common=True)

    clips = [{"file_name": f"a0{n}", "label": 1 + n % 2} for n in range(3)]
    yield "label pickle", Reader("val_label.pkl", _pickled(clips), label)
    yield "labels .npz", Reader("NTU60_CS.npz", [_npz(y_test=np.eye(2)[[0, 1, 1]]), written], label)


def _texts(folder: Path) -> Iterator[tuple[str, Reader]]:
    text = prompt_file("synthetic").read_bytes()
    yield "prompts", Reader("prompts.txt", [text], read_prompts)
    parts = "\n".join(f"{name};a;b;c;d;e;f" for name in NAMES)
    synonyms = folder / "synonyms.txt"
    synonyms.write_text("\n".join(f"{name},other" for name in NAMES))
    yield (
        "GAP's prompts",
        Reader("parts.txt", [parts.encode()], lambda path: read_gap_prompts(path, synonyms)),
    )
    prompts = read_prompts(prompt_file("synthetic"))
    features = io.BytesIO()
    write_features(features, prompts.texts, golden_array("features", (len(prompts.texts), 4)), "encoder")
    yield "features", Reader("features.npz", [features.getvalue()], lambda path: read_features(path, prompts))
    merges = "#version\n" + "".join(f"a{n} b{n}\n" for n in range(50_000))
    yield (
        "vocabulary",
        Reader(
            "merges.txt", [gzip.compress(merges.encode(), 1)], lambda path: Tokenizer(path).encode(["a b"])
        ),
    )


def _weights(folder: Path) -> Iterator[tuple[str, Reader]]:
    tensors = {f"layer.{n}": golden_array(f"layer/{n}", (2, n)) for n in (1, 3)} | {
        "n": np.array(3, np.int64)
    }
    header = write_safetensors(folder / "weights.safetensors", tensors).read_bytes()
    yield ".safetensors", Reader("weights.safetensors", [header], _read_numbers)
    for name in ("checkpoint_zip", "checkpoint_legacy"):
        content = (motion_cases.FOLDER / f"{name}.pth.tar").read_bytes()
        yield f"{name} .pth", Reader(f"{name}.pth.tar", [content], _read_numbers)
        yield f"published {name}", Reader(f"{name}.pth.tar", [content], read_published)


def _frames(folder: Path) -> Iterator[tuple[str, Reader]]:
    depth = images.encode_png(np.arange(24 * 32, dtype=np.uint16).reshape(24, 32, 1))
    _, colour = cv2.imencode(".png", frame(3))
    examples = [images.encode_jpeg(frame(3)), colour.tobytes(), depth]

    def read(path: Path) -> None:
        for name in (".jpg", ".png"):
            path.with_name(f"0{name}").unlink(missing_ok=True)
            path.rename(path.with_name(f"0{name}"))
            list(FrameFolder.find(path.parent, "depth").read())
            path = path.with_name(f"0{name}")

    yield "frames", Reader("frame", examples, read)
    write_video(folder / "clip.avi", 4)
    yield (
        "videos",
        Reader("clip.avi", [(folder / "clip.avi").read_bytes()], lambda path: list(VideoFile(path).read())),
    )


def _read_numbers(path: Path) -> None:
    for tensor in read_tensors(path).values():
        tensor.tobytes()


def _joints_of(num_frames: int, num_joints: int = 20) -> np.ndarray:
    return golden_array("joints", (num_frames, num_joints, 3)).astype(np.float32)


def _npz(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def _pickled(value: Any) -> list[bytes]:
    return [pickle.dumps(value, protocol) for protocol in (0, 2, 4)]


def _encoded(texts: Any) -> list[bytes]:
    return [text.encode() for text in texts]


def _lines(rows: Sequence[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)
