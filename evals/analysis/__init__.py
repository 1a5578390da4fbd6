"""What the scores of two runs say: effects, findings, a verdict, and what to know before trusting it."""
