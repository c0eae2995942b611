"""Generated people: a body, what it can do, and how it is seen. Pure functions of NumPy generators."""
