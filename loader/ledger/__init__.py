"""The bookkeeping tables, in the warehouse beside the data, and the statements on them.

What a load did is written in the transaction that did it, so that the two can never disagree.
"""
