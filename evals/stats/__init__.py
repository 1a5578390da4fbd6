"""What can be said of two columns of numbers: intervals, tests, corrections."""
