"""Asking cases: as fast as the providers take, each call paid once, and every answer kept."""
