"""The service itself: runs in the stand-in's own environment, as a process of its own."""
