"""A comparison, or a run by itself, shown: one module a medium."""
