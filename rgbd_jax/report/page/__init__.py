"""The report of an evaluation: one HTML page that needs nothing else, neither files nor a network.

Each section is a file of this folder; `document` joins them.
"""

from rgbd_jax.report.page.document import write_page
from rgbd_jax.report.page.origin import Origin
from rgbd_jax.report.page.pictures import DrawnSample

__all__ = ["DrawnSample", "Origin", "write_page"]
