"""Speaks HTTP for destinations: connections, pace, and the exchange of requests and answers."""
