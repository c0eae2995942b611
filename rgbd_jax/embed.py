"""Turn prompts into features, once, by a sentence encoder; training reads these and needs no encoder.

    python -m rgbd_jax.embed PROMPTS --encoder=MODEL --output=FILE.npz [--synonyms=FILE]

The encoder is a model of sentence-transformers, by its name or as a local folder. It needs PyTorch, which
`bash launch/environment.sh torch` installs. docs/prompts.md says what a file of prompts is like.
"""

from rgbd_jax.command import ArgumentParser, output_file, run_command
from rgbd_jax.errors import UserError


def parser() -> ArgumentParser:
    arguments = ArgumentParser(prog="rgbd_jax.embed", description=__doc__)
    arguments.add_argument(
        "prompts", metavar="PROMPTS", help="a data set such as ntu60, or a file of prompts"
    )
    arguments.add_argument("--encoder", required=True, help="name or folder of the model")
    arguments.add_argument(
        "--output", type=output_file, required=True, help="file of features to write, .npz"
    )
    arguments.add_argument(
        "--synonyms", default="", help="if PROMPTS is GAP's file of parts, that of synonyms"
    )
    return arguments


def main(argv: list[str]) -> None:
    given = parser().parse_args(argv)
    if given.output.suffix != ".npz":
        raise UserError(f"--output={given.output}: a name that ends in .npz is needed")
    # Not before the arguments are understood: the import takes a second.
    from rgbd_jax.files import replacing
    from rgbd_jax.text.features import embed, encoder_name, write_features
    from rgbd_jax.text.source import find_prompts

    prompts = find_prompts(given.prompts, given.synonyms)
    vectors = embed(prompts.texts, given.encoder)
    with replacing(given.output) as temporary:
        write_features(temporary, prompts.texts, vectors, given.encoder)
    print(
        f"{given.output}: {len(vectors)} texts of {len(prompts.classes)} classes in vectors of"
        f" {vectors.shape[1]}, by {encoder_name(given.encoder)}"
    )


if __name__ == "__main__":
    run_command(main)
