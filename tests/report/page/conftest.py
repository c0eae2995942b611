import pytest
from matplotlib.figure import Figure
from report.page.evaluations import origin

from rgbd_jax.report.metrics import summary
from rgbd_jax.report.page import DrawnSample, write_page

ORIGIN = origin()


@pytest.fixture
def write(tmp_path):
    """Writes a page of scores, with pictures of the samples of these ids; returns its path."""

    def write(scores, rows=(), drawn=(), origin=ORIGIN):
        samples = []
        for number, name in enumerate(drawn):
            folder = tmp_path / "pictures" / str(number)
            folder.mkdir(parents=True)
            Figure(figsize=(20, 2), dpi=100).savefig(folder / "cam.png")
            samples.append(DrawnSample(name, folder))
        write_page(tmp_path / "report.html", scores, summary(scores), rows, samples, origin)
        return tmp_path / "report.html"

    return write
