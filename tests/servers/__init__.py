"""Real servers on loopback that stand in for what tests may not reach."""
