"""THU-READ: four protocols on the same records, names with and without folders, frames and videos."""

import pytest
from data.video_files import write_folder, write_list, write_video

from rgbd_jax.data.builders.thu_read import ThuRead
from rgbd_jax.errors import UserError


def prepared(source, tmp_path):
    builder = ThuRead(data_dir=tmp_path / "data", source=source)
    builder.prepare()
    return builder


def records(builder, split):
    return [
        (
            record["id"].decode(),
            builder.CLASS_NAMES[record["label"]],
            len(record["rgb"]),
            len(record["depth"]),
        )
        for record in ThuRead.open_split(builder.source.parent / "data", split).source
    ]


@pytest.mark.parametrize("root", ["", "frames"])
@pytest.mark.parametrize("path", ["  RGB_{}", "RGB/RGB_{}", "{}"])
def test_protocols_share_records(tmp_path, root, path):
    source = tmp_path / "source"
    for clip in ("wash_hand_cgy_1", "zip_up_lzy_2"):
        write_folder(source / root / "RGB" / f"RGB_{clip}", "%06d.jpg", 0, 3)
        write_folder(source / root / "Depth" / f"D_{clip}", "%06d.jpg", 0, 3)
    first, second = path.format("wash_hand_cgy_1") + " 3 33", path.format("zip_up_lzy_2") + " 3 0"
    for protocol, training, testing in ((1, second, first), (2, first, second)):
        write_list(source / "dataset_splits" / f"@{protocol}" / "train.txt", [training])
        write_list(source / "dataset_splits" / f"@{protocol}" / "valid.txt", [testing])
    builder = prepared(source, tmp_path)
    assert builder.split_sizes() == {"cs1_train": 1, "cs1_test": 1, "cs2_train": 1, "cs2_test": 1}
    assert sum(info.num_examples for info in builder.info.splits.values()) == 2
    assert (
        records(builder, "cs1_test")
        == records(builder, "cs2_train")
        == [("wash_hand_cgy_1", "wash hand", 3, 3)]
    )
    assert records(builder, "cs1_train") == records(builder, "cs2_test") == [("zip_up_lzy_2", "zip up", 3, 3)]


def test_videos_and_the_published_lists(tmp_path):
    source = tmp_path / "source"
    write_video(source / "RGB" / "RGB_stir_gs_1.avi", 4)
    write_video(source / "Depth" / "D_stir_gs_1.avi", 4)
    write_list(source / "train_test_split" / "cs_3_train.txt", ["RGB_stir_gs_1 4 6"])
    assert records(prepared(source, tmp_path), "cs3_train") == [("stir_gs_1", "stir", 4, 4)]


def test_lists_of_depth_alone_name_the_same_clips(tmp_path):
    """They are taken where there are no others; ids and labels are those of the lists of colour."""
    source = tmp_path / "source"
    write_folder(source / "Depth" / "D_stir_gs_1", "%06d.jpg", 0, 3)
    write_folder(source / "Depth" / "D_fold_gs_1", "%06d.jpg", 0, 2)
    splits = source / "dataset_splits" / "@2"
    write_list(splits / "depth_train_lst.txt", ["Depth/D_stir_gs_1 3 6"])
    write_list(splits / "depth_valid_lst.txt", ["Depth/D_fold_gs_1 2 31"])
    builder = prepared(source, tmp_path)
    assert builder.split_sizes() == {"cs2_train": 1, "cs2_test": 1}
    assert records(builder, "cs2_train") == [("stir_gs_1", "stir", 0, 3)]
    write_list(splits / "train.txt", ["RGB/RGB_stir_gs_1 3 6"])
    assert [str(item.line) for item in builder.items()] == [
        f"{splits / 'train.txt'}, line 1",
        f"{splits / 'depth_valid_lst.txt'}, line 1",
    ]


def test_bad_clips_are_named(tmp_path):
    source = tmp_path / "source"
    write_folder(source / "RGB" / "RGB_stir_gs_1", "%06d.jpg", 0, 3)
    write_folder(source / "Depth" / "D_stir_gs_1", "%06d.jpg", 0, 3)
    train = source / "dataset_splits" / "@2" / "train.txt"
    write_list(train, ["RGB_stir_gs_1 3 6", "RGB_stir_gs_2 3 6", "RGB_stir_gs_1 3 40"])
    write_list(train.with_name("valid.txt"), ["RGB_stir_gs_1 3 6"])
    builder = ThuRead(data_dir=tmp_path / "data", source=source)
    twice, missing, label = builder.check()
    assert (
        twice == f"{train}, line 1: the clip stands in cs2_train and cs2_test; one of a protocol is allowed"
    )
    assert missing == f"{train}, line 2: there is no folder {source / 'RGB' / 'RGB_stir_gs_2'}"
    assert label == f"{train}, line 3: found label 40; allowed are 0 to 39"
    with pytest.raises(UserError, match="stands in cs2_train and cs2_test"):
        builder.prepare()
