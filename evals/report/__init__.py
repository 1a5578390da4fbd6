"""A comparison, shown: one module a medium."""
