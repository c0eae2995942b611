"""Small `.skeleton` files with known content."""

from pathlib import Path

import numpy as np

NUM_JOINTS = 25


def skeleton_text(frames: list[dict[str, np.ndarray]]) -> str:
    """A file of frames, each with the joints (V, 3) of its bodies by id."""
    lines = [str(len(frames))]
    for bodies in frames:
        lines.append(str(len(bodies)))
        for name, joints in bodies.items():
            lines += [f"{name} 0 1 1 1 1 0 -0.1 0.2 2", str(len(joints))]
            lines += [f"{x} {y} {z} 276.1 190.1 1032.3 514.1 -0.17 0.04 0.97 -0.15 2" for x, y, z in joints]
    return "\n".join(lines) + "\n"


def person(place: float = 0.0, seed: int = 0) -> np.ndarray:
    """Joints (V, 3) of somebody upright."""
    rng = np.random.default_rng(seed)
    return np.round(rng.uniform((-0.2, -0.8, 2.0), (0.2, 0.8, 2.3), (NUM_JOINTS, 3)) + [place, 0, 0], 6)


def write_capture(folder: Path, name: str, frames: list[dict[str, np.ndarray]] | None = None) -> Path:
    """Write a capture; of one person in three frames if nothing is said."""
    path = folder / f"{name}.skeleton"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(skeleton_text(frames or [{"7": person(seed=frame)} for frame in range(3)]))
    return path
