"""Two flows between object storage, a warehouse and the tools that use its data.

load   storage → core (shred, join types, plan changes) → storage (parts) → warehouses (+ ledger)
sync   warehouses (+ ledger) → core (plan, map, batch) → destinations (describe) → delivery → ledger

`loader.load` is the place to start reading.
"""
