"""Recordings that somebody wants to be recognised."""

import json
import os
import zipfile
from pathlib import Path

import cv2
import numpy as np
from data.skeleton_files import person, skeleton_text
from data.video_files import frame, write_folder, write_image, write_video
from faults.malformed.case import Given, archive_of, case, npy, numbers, pack, write


def joints(folder: Path, given: Given, name: str, content: str | bytes) -> list[str | Path]:
    write(folder / name, content)
    return [f"--checkpoint={given.joints}", name]


def zipped(folder: Path, given: Given, member: bytes) -> list[str | Path]:
    pack(folder / "clip.npz", {"joints.npy": member}, zipfile.ZIP_DEFLATED)
    return [f"--checkpoint={given.joints}", "clip.npz"]


@case("predict", r"clip\.npz: is no \.npz file")
def an_empty_archive(folder: Path, given: Given) -> list[str | Path]:
    return joints(folder, given, "clip.npz", b"")


@case("predict", r"clip\.npz: is no \.npz file")
def an_archive_that_is_cut_off(folder: Path, given: Given) -> list[str | Path]:
    whole = archive_of(folder / "whole.npz", joints=np.ones((9, 20, 3))).read_bytes()
    return joints(folder, given, "clip.npz", whole[: len(whole) // 2])


@case("predict", r"clip\.npz: is no \.npz file .*holds objects of Python")
def an_archive_of_objects(folder: Path, given: Given) -> list[str | Path]:
    np.savez(folder / "clip.npz", joints=np.array([{}, None], object))
    return [f"--checkpoint={given.joints}", "clip.npz"]


@case(
    "predict", r"clip\.npz: is no \.npz file .*joints\.npy is not as long as float64 \(1000000000000, 20, 3\)"
)
def an_archive_that_says_it_is_huge(folder: Path, given: Given) -> list[str | Path]:
    return zipped(folder, given, numbers((10**12, 20, 3), "<f8", bytes(480)))


@case("predict", r"clip\.npz: is no \.npz file .*is not as long as")
def an_archive_whose_shape_overflows(folder: Path, given: Given) -> list[str | Path]:
    return zipped(folder, given, numbers((2**62, 4, 2**62), "<f8"))


@case("predict", r"clip\.npz: is no \.npz file .*is not as long as")
def an_archive_of_a_negative_shape(folder: Path, given: Given) -> list[str | Path]:
    return zipped(folder, given, numbers((-1, 20, 3), "<f4", bytes(240)))


@case("predict", r"clip\.npz: is no \.npz file")
def an_archive_whose_header_is_cut_off(folder: Path, given: Given) -> list[str | Path]:
    return zipped(folder, given, npy({"descr": "<f4"})[:-3])


@case("predict", r"clip\.npz: is no \.npz file")
def an_archive_whose_header_never_ends(folder: Path, given: Given) -> list[str | Path]:
    return zipped(folder, given, b"\x93NUMPY\x01\x00\x00\x20" + b"(" * 0x2000)


@case("predict", r"clip\.npz: found the keys none; the key joints is needed")
def an_archive_of_a_text(folder: Path, given: Given) -> list[str | Path]:
    pack(folder / "clip.npz", {"joints": b"1 2 3", "../../joints.npy/": b""})
    return [f"--checkpoint={given.joints}", "clip.npz"]


@case("predict", r"clip\.npz: frame 0, person 0, joint 0: x is nan")
def joints_that_are_no_numbers(folder: Path, given: Given) -> list[str | Path]:
    return ["--checkpoint", given.joints, archive_of(folder / "clip.npz", joints=np.full((3, 20, 3), np.nan))]


@case("predict", r"clip\.npz: frame 0, person 0, joint 0: x is inf")
def joints_too_far_away(folder: Path, given: Given) -> list[str | Path]:
    return ["--checkpoint", given.joints, archive_of(folder / "clip.npz", joints=np.full((3, 20, 3), 1e300))]


@case("predict", r"clip\.npz: frame 1, person 0, joint 2: z is .*e\+30; metres between -1e\+18 and 1e\+18")
def a_joint_whose_speed_has_no_number(folder: Path, given: Given) -> list[str | Path]:
    joints = np.ones((3, 25, 3))
    joints[1, 2, 2] = 1e30
    return ["--checkpoint", given.joints, archive_of(folder / "clip.npz", joints=joints)]


@case("predict", r"clip\.npz: found joints of <U1")
def joints_of_text(folder: Path, given: Given) -> list[str | Path]:
    return ["--checkpoint", given.joints, archive_of(folder / "clip.npz", joints=np.full((3, 20, 3), "1"))]


@case("predict", r"clip\.npz: found 7 joints")
def joints_of_another_body(folder: Path, given: Given) -> list[str | Path]:
    return ["--checkpoint", given.joints, archive_of(folder / "clip.npz", joints=np.ones((3, 7, 3)))]


@case("predict", r"clip\.json: not a complete JSON file .*nested too deep")
def json_without_a_bottom(folder: Path, given: Given) -> list[str | Path]:
    return joints(folder, given, "clip.json", '{"skeletons": ' + "[" * 200_000)


@case("predict", r"clip\.json: .*are needed")
def json_whose_frames_differ(folder: Path, given: Given) -> list[str | Path]:
    content = {"skeletons": [np.ones((20, 3)).tolist(), np.ones((19, 3)).tolist()]}
    return joints(folder, given, "clip.json", json.dumps(content))


@case("predict", r"clip\.json: frame 0, joint 0: x is inf")
def json_with_a_number_without_end(folder: Path, given: Given) -> list[str | Path]:
    text = json.dumps({"skeletons": np.ones((2, 20, 3)).tolist()})
    return joints(folder, given, "clip.json", text.replace("1.0", "1" * 6000, 1))


@case("predict", r"clip\.json: frame 0, joint 0 is \['1\.0', 1\.0, 1\.0\]; three numbers")
def json_with_text_for_a_number(folder: Path, given: Given) -> list[str | Path]:
    text = json.dumps({"skeletons": np.ones((2, 20, 3)).tolist()})
    return joints(folder, given, "clip.json", text.replace("1.0", '"1.0"', 1))


@case("predict", r"clip\.json: not a complete JSON file")
def json_in_another_encoding(folder: Path, given: Given) -> list[str | Path]:
    return joints(folder, given, "clip.json", '{"skeletons": []}'.encode("utf-16"))


CAPTURE = skeleton_text([{"7": person()}, {"7": person(seed=1)}])


@case("predict", r"clip\.skeleton, line 1: found '-3'; the number of frames is needed")
def a_capture_of_fewer_than_no_frames(folder: Path, given: Given) -> list[str | Path]:
    return joints(folder, given, "clip.skeleton", "-3" + CAPTURE[1:])


@case("predict", r"clip\.skeleton, line \d+: the file ends here, cut off; by line 1 it is to hold 999999999")
def a_capture_of_a_billion_frames(folder: Path, given: Given) -> list[str | Path]:
    return joints(folder, given, "clip.skeleton", "999999999" + CAPTURE[1:])


@case("predict", r"clip\.skeleton, line 1: found '9+'; the number of frames is needed")
def a_capture_whose_number_never_ends(folder: Path, given: Given) -> list[str | Path]:
    return joints(folder, given, "clip.skeleton", "9" * 5000 + CAPTURE[1:])


@case("predict", r"clip\.skeleton, line 4: found 3 joints; 25 are needed")
def a_capture_of_a_part_of_a_body(folder: Path, given: Given) -> list[str | Path]:
    return joints(folder, given, "clip.skeleton", CAPTURE.replace("\n25\n", "\n3\n", 1))


@case("predict", r"clip\.skeleton, line \d+: ")
def a_capture_that_lacks_a_line(folder: Path, given: Given) -> list[str | Path]:
    lines = CAPTURE.split("\n")
    return joints(folder, given, "clip.skeleton", "\n".join(lines[:9] + lines[10:]))


@case("predict", r"clip\.skeleton, line 5: x is 1_0; metres")
def a_capture_with_a_number_of_python(folder: Path, given: Given) -> list[str | Path]:
    lines = CAPTURE.split("\n")
    lines[4] = "1_0 " + lines[4].split(" ", 1)[1]
    return joints(folder, given, "clip.skeleton", "\n".join(lines))


@case("predict", r"clip\.skeleton: cannot be read \(Is a directory\)|clip\.skeleton: is no file of joints")
def a_capture_that_is_a_folder(folder: Path, given: Given) -> list[str | Path]:
    (folder / "clip.skeleton").mkdir()
    return [f"--checkpoint={given.joints}", "clip.skeleton"]


@case("predict", r"clip\.npz: there is no such file or folder")
def a_recording_that_a_broken_link_names(folder: Path, given: Given) -> list[str | Path]:
    (folder / "clip.npz").symlink_to("nowhere.npz")
    return [f"--checkpoint={given.joints}", "clip.npz"]


@case("predict", r"x{300}\.npz: there is no such file or folder")
def a_recording_whose_name_is_too_long(folder: Path, given: Given) -> list[str | Path]:
    return [f"--checkpoint={given.joints}", "x" * 300 + ".npz"]


@case("predict", r"clip\.npz:5:3: found frames 5 to 3")
def a_part_that_ends_before_it_begins(folder: Path, given: Given) -> list[str | Path]:
    archive_of(folder / "clip.npz", joints=np.ones((9, 20, 3)))
    return [f"--checkpoint={given.joints}", "clip.npz:5:3"]


@case("predict", r"clip\.npz:0:9{40}: there is no such file or folder")
def a_part_beyond_all_numbers(folder: Path, given: Given) -> list[str | Path]:
    archive_of(folder / "clip.npz", joints=np.ones((9, 20, 3)))
    return [f"--checkpoint={given.joints}", f"clip.npz:0:{'9' * 40}"]


@case("predict", r"clip\.npz: ends after 9 frames; frames to 999999999 are needed")
def a_part_beyond_the_end(folder: Path, given: Given) -> list[str | Path]:
    archive_of(folder / "clip.npz", joints=np.ones((9, 20, 3)))
    return [f"--checkpoint={given.joints}", "clip.npz:0:999999999"]


@case("predict", r"fps=nan: frames a second are needed")
def no_number_of_frames_a_second(folder: Path, given: Given) -> list[str | Path]:
    archive_of(folder / "clip.npz", joints=np.ones((9, 20, 3)))
    return [f"--checkpoint={given.joints}", "--fps=nan", "clip.npz"]


@case("predict", r"window=0: a number of frames is needed")
def windows_of_no_frames(folder: Path, given: Given) -> list[str | Path]:
    archive_of(folder / "clip.npz", joints=np.ones((9, 25, 3)))
    return [f"--checkpoint={given.joints}", "--window=0", "clip.npz"]


@case("predict", r"clip\.avi: (cannot be opened|ends after)")
def a_video_that_is_cut_off(folder: Path, given: Given) -> list[str | Path]:
    write_video(folder / "clip.avi", 30, height=48, width=64)
    os.truncate(folder / "clip.avi", (folder / "clip.avi").stat().st_size // 3)
    return [f"--checkpoint={given.colour}", "clip.avi"]


@case("predict", r"clip\.avi: cannot be opened as a video")
def a_video_of_zeros(folder: Path, given: Given) -> list[str | Path]:
    write(folder / "clip.avi", bytes(5000))
    return [f"--checkpoint={given.colour}", "clip.avi"]


@case("predict", r"clip\.mp4: (cannot be opened|ends after)")
def a_film_without_its_index(folder: Path, given: Given) -> list[str | Path]:
    film = cv2.VideoWriter(str(folder / "clip.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 30, (64, 48))
    for number in range(12):
        film.write(frame(number, 48, 64))
    film.release()
    os.truncate(folder / "clip.mp4", (folder / "clip.mp4").stat().st_size - 700)
    return [f"--checkpoint={given.colour}", "clip.mp4"]


@case("predict", r"clip\.avi: cannot be opened as a video")
def a_text_called_a_video(folder: Path, given: Given) -> list[str | Path]:
    write(folder / "clip.avi", "#EXTM3U\n/etc/hostname\n")
    return [f"--checkpoint={given.colour}", "clip.avi"]


@case("predict", r"frames/000001\.jpg: cannot be decoded")
def a_picture_that_is_cut_off(folder: Path, given: Given) -> list[str | Path]:
    write_folder(folder / "frames", "%06d.jpg", 0, 3)
    os.truncate(folder / "frames" / "000001.jpg", 200)
    return [f"--checkpoint={given.colour}", "frames"]


@case("predict", r"frames/000000\.png: cannot be decoded")
def a_picture_that_says_it_is_huge(folder: Path, given: Given) -> list[str | Path]:
    write_image(folder / "frames" / "000000.png", frame(1))
    png = bytearray((folder / "frames" / "000000.png").read_bytes())
    png[16:24] = (2**31 - 1).to_bytes(4, "big") * 2
    write(folder / "frames" / "000000.png", bytes(png))
    return [f"--checkpoint={given.colour}", "frames"]


@case("predict", r"frames: found a\*\.jpg and b\*\.jpg; numbered image files")
def pictures_of_two_kinds(folder: Path, given: Given) -> list[str | Path]:
    write_folder(folder / "frames", "a%d.jpg", 0, 2)
    write_folder(folder / "frames", "b%d.jpg", 0, 2)
    return [f"--checkpoint={given.colour}", "frames"]


@case("predict", r"--output=clip\.npz: is the input")
def results_in_the_place_of_the_recording(folder: Path, given: Given) -> list[str | Path]:
    archive_of(folder / "clip.npz", joints=np.ones((9, 20, 3)))
    return [f"--checkpoint={given.joints}", "clip.npz", "--output=clip.npz"]
