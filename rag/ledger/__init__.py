"""The ledger: documents, chunks, vectors and traces in SQL."""
