"""The slow, obvious shredder, written from RULES.md alone; the fast one must agree with it."""
