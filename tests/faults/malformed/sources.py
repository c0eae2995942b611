"""Published files of data sets, to be prepared."""

import json
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
from data.skeleton_files import write_capture
from data.video_files import write_folder, write_image, write_list, write_video
from faults.malformed.case import Given, archive_of, case, numbers, pack, write

ONE_HOT = {f"y_{part}": np.eye(60)[[0, 1]] for part in ("train", "test")}
ROWS = {f"x_{part}": np.ones((2, 4, 150), np.float32) for part in ("train", "test")}


def prepare(data_set: str, *more: str) -> list[str]:
    return [data_set, "--source=source", "--data_dir=data", *more]


def own_list(folder: Path, line: str | bytes, classes: str = "wave\nsit\n") -> list[str]:
    """A source of one's own with one clip and this list of it."""
    write(folder / "source" / "classes.txt", classes)
    write(folder / "source" / "dataset_splits" / "train.txt", line)
    archive = folder / "source" / "skeletons" / "a.npz"
    archive.parent.mkdir(parents=True)
    archive_of(archive, joints=np.arange(9 * 20 * 3.0).reshape(9, 20, 3) / 100)
    return prepare("custom_skeletons")


def of_ucla(folder: Path, content: str | bytes) -> list[str]:
    """A source of NW-UCLA whose first clip has this content, and whose second is in order."""
    clips = folder / "source" / "all_sqe"
    write(clips / "a01_s01_e00_v01.json", content)
    write(clips / "a01_s01_e00_v03.json", json.dumps({"skeletons": np.ones((2, 20, 3)).tolist()}))
    return prepare("nw_ucla")


def gestures(folder: Path, line: str) -> list[str]:
    write_list(folder / "source" / "nvgesture_train_correct_cvpr2016_v2.lst", [line])
    return prepare("nvgesture")


@case("prepare", r"no data set 'mnist'|mnist")
def an_unknown_data_set(folder: Path, given: Given) -> list[str]:
    return prepare("mnist")


@case("prepare", r"--source=source: there is no folder source/all_sqe")
def a_source_that_is_a_file(folder: Path, given: Given) -> list[str]:
    write(folder / "source", "mine")
    return prepare("nw_ucla")


@case("prepare", r"--data_dir=data: data is a file; give a folder")
def a_data_dir_that_is_a_file(folder: Path, given: Given) -> list[str]:
    write(folder / "data", "mine")
    return of_ucla(folder, "{}")


@case("prepare", r"a01_s01_e00_v01\.json: not a complete JSON file .*nested too deep")
def a_clip_of_ucla_without_a_bottom(folder: Path, given: Given) -> list[str]:
    return of_ucla(folder, "[" * 200_000)


@case("prepare", r"a01_s01_e00_v01\.json: cannot be read \(No such file")
def a_clip_of_ucla_that_a_broken_link_names(folder: Path, given: Given) -> list[str]:
    arguments = of_ucla(folder, "")
    (folder / "source" / "all_sqe" / "a01_s01_e00_v01.json").unlink()
    (folder / "source" / "all_sqe" / "a01_s01_e00_v01.json").symlink_to("nowhere")
    return arguments


@case("prepare", r"found action 99")
def a_clip_of_no_action(folder: Path, given: Given) -> list[str]:
    write(folder / "source" / "all_sqe" / "a99_s01_e00_v01.json", "{}")
    return of_ucla(folder, "{}")


@case("prepare", r"S001C001P001R001A001\.skeleton, line \d+: the file ends here")
def a_capture_that_is_cut_off(folder: Path, given: Given) -> list[str]:
    path = write_capture(folder / "source", "S001C001P001R001A001")
    os.truncate(path, 700)
    return prepare("ntu60")


@case("prepare", r"S001C001P001R001A061\.skeleton: found action 61; allowed are 1 to 60")
def a_capture_of_another_edition(folder: Path, given: Given) -> list[str]:
    write_capture(folder / "source", "S001C001P001R001A061")
    return prepare("ntu60")


@case("prepare", r"NTU60_CS\.npz: is no archive .*x_train\.npy is not as long as")
def rows_that_say_they_are_huge(folder: Path, given: Given) -> list[str]:
    (folder / "source").mkdir()
    labels = archive_of(folder / "labels.npz", **ONE_HOT)
    with zipfile.ZipFile(labels) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    labels.unlink()
    members |= {f"x_{part}.npy": numbers((10**9, 300, 150)) for part in ("train", "test")}
    pack(folder / "source" / "NTU60_CS.npz", members)
    return prepare("ntu60")


@case("prepare", r"NTU60_CS\.npz: y_train, row 1: is no one-hot label")
def a_clip_of_two_classes(folder: Path, given: Given) -> list[str]:
    (folder / "source").mkdir()
    labels = np.eye(60)[[0, 1]]
    labels[1, 5] = 1
    archive_of(folder / "source" / "NTU60_CS.npz", **ONE_HOT | ROWS | {"y_train": labels})
    return prepare("ntu60")


@case("prepare", r"NTU60_CS\.npz: y_test has the shape \(\)")
def labels_without_a_shape(folder: Path, given: Given) -> list[str]:
    (folder / "source").mkdir()
    archive_of(folder / "source" / "NTU60_CS.npz", **ONE_HOT | ROWS | {"y_test": 3.0})
    return prepare("ntu60")


@case("prepare", r"NTU60_CS\.npz, x_train, row 0: a number is no position")
def rows_too_large_for_their_kind(folder: Path, given: Given) -> list[str]:
    (folder / "source").mkdir()
    archive_of(
        folder / "source" / "NTU60_CS.npz", **ONE_HOT | ROWS | {"x_train": np.full((2, 4, 150), 1e300)}
    )
    return prepare("ntu60")


@case("prepare", r"ntu60_3danno\.pkl: asks for (posix|os)\.")
def annotations_that_run_a_program(folder: Path, given: Given) -> list[str]:
    write(folder / "source" / "ntu60_3danno.pkl", b"cposix\nsystem\n(S'touch ran'\ntR.")
    return prepare("ntu60")


@case("prepare", r"ntu60_3danno\.pkl, annotations\[0\]: found None; a name of the form")
def annotations_of_nothing(folder: Path, given: Given) -> list[str]:
    write(folder / "source" / "ntu60_3danno.pkl", pickle.dumps({"split": {}, "annotations": [None]}))
    return prepare("ntu60")


@case("prepare", r"train\.txt, line 1: found 2 columns")
def a_list_of_two_columns(folder: Path, given: Given) -> list[str]:
    return own_list(folder, "a 1\n")


@case("prepare", r"train\.txt, line 2: found label 2; allowed are 0 to 1")
def a_label_beyond_the_classes(folder: Path, given: Given) -> list[str]:
    return own_list(folder, "a all 0\r\na all 2\r\n")


@case("prepare", r"train\.txt, line 1: found label=1_0; a whole number is needed")
def a_label_that_only_python_reads(folder: Path, given: Given) -> list[str]:
    return own_list(folder, "a all 1_0\n", "\n".join(map(str, range(20))))


@case("prepare", r"train\.txt, line 1: found label=٣; a whole number is needed")
def a_label_in_other_digits(folder: Path, given: Given) -> list[str]:
    return own_list(folder, "a all ٣\n", "\n".join(map(str, range(20))))


@case("prepare", r"train\.txt, line 1: found frames=9+; ")
def a_clip_of_more_frames_than_can_be_counted(folder: Path, given: Given) -> list[str]:
    return own_list(folder, f"a {'9' * 5000} 0\n")


@case("prepare", r"train\.txt, line 2: the clip a is in the split train already, by .*line 1")
def a_clip_that_is_listed_twice(folder: Path, given: Given) -> list[str]:
    return own_list(folder, "a all 0\na all 0\n")


@case("prepare", r"train\.txt, line 1: found \.\./\.\./secret; .*below the source")
def a_list_that_leads_out_of_the_source(folder: Path, given: Given) -> list[str]:
    archive_of(folder / "secret.npz", joints=np.ones((9, 20, 3)))
    return own_list(folder, "../../secret all 0\n")


@case("prepare", r"train\.txt, line 1: found no file for .*x{300}")
def a_listed_name_that_is_too_long(folder: Path, given: Given) -> list[str]:
    return own_list(folder, "x" * 300 + " all 0\n")


@case("prepare", r"train\.txt: is no text file")
def a_list_in_another_encoding(folder: Path, given: Given) -> list[str]:
    return own_list(folder, "a all 0\n".encode("utf-16"))


@case("prepare", r"train\.txt, line 1: found no file")
def a_list_with_bytes_that_end_names(folder: Path, given: Given) -> list[str]:
    return own_list(folder, "a\0b all 0\n")


@case("prepare", r"train\.txt: is empty; a list of clips")
def an_empty_list(folder: Path, given: Given) -> list[str]:
    return own_list(folder, " \n\r\n")


@case("prepare", r"classes\.txt: found 'wave' more than once")
def a_class_that_is_named_twice(folder: Path, given: Given) -> list[str]:
    return own_list(folder, "a all 0\n", "wave\nsit\nwave\n")


@case("prepare", r"found the name .*a.nb|without line breaks")
def a_file_whose_name_has_a_line_break(folder: Path, given: Given) -> list[str]:
    (folder / "source" / "skeletons" / "wave").mkdir(parents=True)
    for name in ("a\nb", "c"):
        archive_of(folder / "source" / "skeletons" / "wave" / f"{name}.npz", joints=np.ones((9, 20, 3)))
    return prepare("custom_skeletons", "--split=random")


@case("prepare", r"skeletons/wave/again: is a link that leads back to a folder above it")
def folders_that_link_to_one_another(folder: Path, given: Given) -> list[str]:
    wave = folder / "source" / "skeletons" / "wave"
    wave.mkdir(parents=True)
    for name in "ab":
        archive_of(wave / f"{name}.npz", joints=np.ones((9, 20, 3)))
    for name in ("again", "once_more"):
        (wave / name).symlink_to(wave)
    return prepare("custom_skeletons", "--split=random")


@case("prepare", r"--test_share=nan: a number between 0 and 1")
def a_share_that_is_no_number(folder: Path, given: Given) -> list[str]:
    return prepare("custom", "--split=random", "--test_share=nan")


@case("prepare", r"\.lst, line 1: found depth frames 138 to 18")
def a_gesture_that_ends_before_it_begins(folder: Path, given: Given) -> list[str]:
    return gestures(folder, "path:./a/b depth:sk_depth:138:18 color:sk_color:1:8 label:1")


@case("prepare", r"\.lst, line 1: found no label:")
def a_gesture_without_a_label(folder: Path, given: Given) -> list[str]:
    return gestures(folder, "path:./a/b depth:sk_depth:1:8 color:sk_color:1:8")


@case("prepare", r"\.lst, line 1: there is no file source/etc/b/")
def a_gesture_at_an_absolute_path(folder: Path, given: Given) -> list[str]:
    return gestures(folder, "path:/etc/b depth:sk_depth:1:8 color:sk_color:1:8 label:1")


@case("prepare", r"train_list\.txt, line 1: .*below the source")
def gestures_that_lie_elsewhere(folder: Path, given: Given) -> list[str]:
    write_list(folder / "source" / "train_list.txt", ["../x/M_1.avi ../x/K_1.avi 1"])
    return prepare("isogd")


@case("prepare", r"jester-v1-train\.csv, line 1: found the class 'Dancing'")
def a_gesture_that_nobody_knows(folder: Path, given: Given) -> list[str]:
    write_list(folder / "source" / "jester-v1-train.csv", ["1;Dancing"])
    return prepare("jester")


@case("prepare", r"train\.txt, line 1: .*RGB_a_1/000001\.jpg: cannot be decoded")
def a_frame_that_is_a_text(folder: Path, given: Given) -> list[str]:
    source = folder / "source"
    write_list(source / "dataset_splits" / "@1" / "train.txt", ["RGB/RGB_a_1 2 3"])
    write_folder(source / "RGB" / "RGB_a_1", "%06d.jpg", 0, 2)
    write(source / "RGB" / "RGB_a_1" / "000001.jpg", "\xff\xd8 no picture")
    return prepare("thu_read")


@case("prepare", r"found 2 frames of rgb and 3 frames of depth|equally many are needed")
def colour_and_depth_of_other_lengths(folder: Path, given: Given) -> list[str]:
    write_list(folder / "source" / "classes.txt", ["wave"])
    write_list(folder / "source" / "dataset_splits" / "train.txt", ["a all 0"])
    for modality, count in (("rgb", 2), ("depth", 3)):
        write_folder(folder / "source" / modality / "a", "%d.jpg", 0, count)
    return prepare("custom")


@case("prepare", r"train\.txt, line 1: .*a\.avi: ")
def a_clip_that_is_no_video(folder: Path, given: Given) -> list[str]:
    write_list(folder / "source" / "classes.txt", ["wave"])
    write_list(folder / "source" / "dataset_splits" / "train.txt", ["a all 0"])
    write_video(folder / "source" / "rgb" / "a.avi", 3)
    os.truncate(folder / "source" / "rgb" / "a.avi", 100)
    return prepare("custom")


@case("prepare", r"MDepth-00000002\.png: cannot be decoded \(found uint8")
def depth_of_eight_bits(folder: Path, given: Given) -> list[str]:
    name, source = "S001C001P001R001A001", folder / "source"
    write_list(source / "dataset_splits" / "@CS" / "train.txt", [f"{name}_rgb 2 0"])
    write_folder(source / "Images" / f"{name}_rgb", "%06d.jpg", 1, 2)
    masks = source / "nturgb+d_depth_masked" / name
    for number, kind in ((1, np.uint16), (2, np.uint8)):
        write_image(masks / f"MDepth-{number:08d}.png", np.ones((424, 512), kind))
    return prepare("ntu_rgbd")


@case("prepare", r"there is no clip \.\./\.\./x")
def a_preview_of_a_path(folder: Path, given: Given) -> list[str]:
    return ["synthetic", f"--data_dir={given.data}", "--preview=../../x"]
