"""Files into documents, documents into chunks, chunks into a generation."""
