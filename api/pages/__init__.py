"""The pages: HTML made on the server, which needs no other site, no build and hardly any script."""
