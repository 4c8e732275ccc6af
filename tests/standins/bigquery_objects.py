"""Conformance cases of load jobs that read objects in Cloud Storage: what BigQuery does, by its documentation."""

import pyarrow as pa

from standins.bigquery_probe import Case, Probe, Refused

ONE, TWO = pa.table({"id": ["a"], "n": [1]}), pa.table({"id": ["b", "c"], "n": [2, 3]})
TURNED = pa.table({"n": [4], "id": ["d"]})  # the same columns, in another order
INVALID, MISSING = Refused("invalid"), Refused("notFound")
PARQUET, JOB = "loading-data-cloud-storage-parquet", "reference/rest/v2/Job"


def listed(p: Probe) -> object:
    folder = p.put(one=ONE, two=TWO, three=TWO)
    return p.take(f"{folder}/one.parquet", f"{folder}/two.parquet")


def many(p: Probe) -> object:
    folder = p.put(one=ONE)
    return p.take(*[f"{folder}/one.parquet"] * 10_001)


OBJECTS: tuple[Case, ...] = (
    Case("objects are loaded by their addresses", listed, 3, JOB),
    Case("a wildcard stands for several", lambda p: p.take(f"{p.put(in__one=ONE, in__two=TWO)}/in/*"), 3, JOB),
    Case("also inside a name", lambda p: p.take(f"{p.put(one=ONE, ode=ONE, two=TWO)}/o*e.parquet"), 2, JOB),
    Case("two of them are refused", lambda p: p.take(f"{p.put(one=ONE)}/o*e*"), INVALID, JOB),
    Case("one that nothing matches", lambda p: p.take(f"{p.put(one=ONE)}/two*"), MISSING, JOB),
    Case("an object that is not there", lambda p: p.take(f"{p.put(one=ONE)}/two.parquet"), MISSING, JOB),
    Case(
        "a generation is refused",
        lambda p: p.take(f"{p.put(one=ONE)}/one.parquet#1700000000000000"),
        INVALID,
        PARQUET,
    ),
    Case(
        "objects whose columns differ in order are refused",
        lambda p: p.take(f"{p.put(one=ONE, turned=TURNED)}/*"),
        INVALID,
        PARQUET,
    ),
    Case("two slashes are one", lambda p: p.take(f"{p.put(in__one=ONE)}/in//one.parquet"), 1, PARQUET),
    Case("10,001 addresses are refused", many, INVALID, "quotas"),
)
