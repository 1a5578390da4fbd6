"""Live traffic over two variants: who is answered by which, and what ends it."""
