"""What a model wrote, on its way to a reader: its claims and citations, held back until they are judged, and mended."""
