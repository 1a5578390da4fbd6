"""What things cost, each beside what a user would pick instead. Never run as a test: `make bench`."""
