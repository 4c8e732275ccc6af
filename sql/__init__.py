"""SQL that a person may read and run: the ledger's views, models, example audiences."""
