"""One file per destination: its settings, its facts, and `push`. It is found because it is here."""
