"""What the scores of two runs say, or of one: effects, findings, a verdict, and what to know before trusting it."""
