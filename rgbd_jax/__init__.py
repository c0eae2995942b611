"""Recognition of human motion from colour video, depth video and skeletons, in JAX."""

__version__ = "0.1.0"
