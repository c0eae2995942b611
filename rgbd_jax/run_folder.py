"""The folder of a run belongs to one experiment, whose config it holds."""

from pathlib import Path

from ml_collections import ConfigDict

from rgbd_jax import config as configs
from rgbd_jax.errors import UserError
from rgbd_jax.files import remove_leftovers, replacing


def claim_workdir(workdir: Path, config: ConfigDict) -> None:
    """Make `workdir` the folder of this experiment, or see that it is already.

    Raises:
      UserError: if it holds another experiment or anything else.
    """
    stored = workdir / "config.json"
    remove_leftovers(stored)
    if stored.is_file():
        try:
            config_of_run = configs.from_json(stored.read_text(encoding="utf-8"))
        except OSError as error:
            raise UserError(f"{stored}: cannot be read ({error.strerror})") from error
        except ValueError as error:
            raise UserError(
                f"{stored}: is not the config of a run ({error}); choose another --workdir"
            ) from error
        if changed := "; ".join(configs.differences(config_of_run, config)):
            raise UserError(f"{stored}: the run is another experiment ({changed}); choose another --workdir")
    elif workdir.exists() and (not workdir.is_dir() or any(workdir.iterdir())):
        raise UserError(f"{workdir}: is no run and not empty; choose another --workdir")
    else:
        store_config(workdir, config)


def store_config(workdir: Path, config: ConfigDict) -> None:
    """Write the full config to the run's folder."""
    with replacing(workdir / "config.json") as temporary:
        temporary.write_text(configs.to_json(config))
