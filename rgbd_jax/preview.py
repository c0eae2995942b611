"""What `prepare --preview=ID` shows: a clip of a prepared data set in motion, as a GIF."""

from pathlib import Path

from rgbd_jax.data import images
from rgbd_jax.data.builders import Builder
from rgbd_jax.data.records import Record, find_record, stored_splits
from rgbd_jax.data.skeleton_split import SkeletonSplit
from rgbd_jax.data.video_split import VideoSplit
from rgbd_jax.errors import OutsideError
from rgbd_jax.files import safe_name
from rgbd_jax.report.pictures.animation import skeleton_animation, video_animation
from rgbd_jax.skeleton_layouts import layout_of


def write_preview(dataset: type[Builder], data_dir: Path, sample_id: str) -> Path:
    """Write the animated picture of a clip and return its path, `DATA_DIR/DATASET/previews/ID.gif`.

    Raises:
      UserError: there is no such clip, or the data set is damaged.
      OutsideError: the clip cannot be read, or the picture not written.
    """
    folder = dataset.folder(data_dir)
    record = find_record(folder, sample_id)
    split = dataset.open_split(data_dir, stored_splits(folder)[0])
    path = folder.parent / "previews" / f"{safe_name(sample_id)}.gif"
    draw = draw_skeleton if isinstance(split, SkeletonSplit) else draw_video
    draw(path, split, record)
    return path


def draw_skeleton(path: Path, split: SkeletonSplit, record: Record) -> None:
    """Draw the bodies as a network gets them."""
    row = split.clip_row(record)
    title = f"{record['id'].decode()}: {split.class_names[record['label']]}"
    parents = layout_of(split.num_joints).parents
    skeleton_animation(path, row["joints"][: row["num_frames"]], parents, title=title)


def draw_video(path: Path, split: VideoSplit, record: Record) -> None:
    """Draw every stored frame."""
    frames = {}
    for modality, frame_format in split.formats.items():
        try:
            frames[modality] = [images.decode(frame, frame_format.channels) for frame in record[modality]]
        except ValueError as error:
            clip = record["id"].decode()
            raise OutsideError(f"{split.name}, clip {clip}: {modality} cannot be read ({error})") from error
    video_animation(path, frames)
