"""Pages to look at: of one track, and of a whole library; each one file that needs no other and asks for none."""
