"""What was said before a question: what of it is searched for and sent, and a model that rewrites the question to stand by itself."""
