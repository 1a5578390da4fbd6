"""The pages by their addresses: what each shows, and to which key."""
