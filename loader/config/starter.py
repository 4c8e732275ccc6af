"""The configuration that `loader init` writes: every setting with its default, and what it is for."""

STARTER = """\
# Settings of the warehouse loader. A line that starts with # shows a default: remove the # to change it.
# Durations: 90s 15m 12h 7d. Sizes: 64KB 8MB 1GB, of 1024. Relative paths are relative to this file.

[warehouse]
# kind = "duckdb"             # where the tables are; duckdb is a file on this machine
# path = "warehouse.duckdb"   # that file
# threads = 2                 # of the warehouse; one per core; 1 while several tables are merged
# memory = "256MB"            # that the warehouse may use

[staging]
# url = "staging"             # where Parquet parts wait to be loaded: a folder, s3://bucket/prefix or gs://…
# keep_days = 0               # 0 deletes parts when their load is done; more keeps them as a lake for so many days
# access = {}                 # for a bucket, as under the source below

[load]
# workers = 0                 # at once; 0 is one per core, at most 8
# engine = "local"            # workers are threads, more than four are processes; "processes": always;
                              # "dask": shards are read on a Dask cluster, `workers` at a time
# dask = "tcp://127.0.0.1:8786"   # the address of its scheduler
# memory = "448MB"            # for all workers together
# shard_bytes = "96MB"        # of stored bytes that one worker takes at once
# max_load_bytes = "1GB"      # of stored bytes in one load; more files make more loads
# lock_wait = "60s"           # for another process to leave the warehouse
# lease_ttl = "10m"           # after which a load that gives no sign of life is taken over

# One table per source. Its name, here `events`, is the schema of its tables unless `schema` says otherwise.
[sources.events]
url = "events"                # a folder, s3://bucket/prefix or gs://…
# schema = "events"
# layout = "year={yyyy}/month={mm}/day={dd}/hour={hh}/"
                              # how keys tell the time of receipt: {yyyy} {mm} {dd} {hh}, {day_ms} and {source};
                              # without a layout the time a file was written tells it
# partition = "hour"          # or "day"; "hour" needs {hh} in the layout, or no layout
# evolve = "evolve"           # new events and properties: evolve adds tables and columns, freeze rejects, discard drops
# dedupe_window = "7d"        # how far back a message id is looked for in the table
# lookback = "7d"             # how far back to look for files that arrived late
# max_depth = 5               # of nested objects; what is deeper stays json (1 to 20)
# max_columns = 1000          # of a table; further properties go to one json column (20 at least)
# max_line_bytes = "8MB"      # a longer line is quarantined
# events = { include = ["*"], exclude = [] }          # which events, by name: patterns with * and ?
# properties = { include = ["*"], exclude = [] }      # which properties

# How to reach s3:// and gs://. What is not set comes from AWS_* variables, ~/.aws (with boto3) or the machine's role;
# for gs:// from Google's application default credentials, and of what is here only two settings are for it.
# Never write a secret here: `env:NAME` is read from the environment.
# [sources.events.access]
# endpoint = "http://127.0.0.1:9000"                  # of a compatible service; for gs:// too
# service_account_file = "account.json"               # for gs://: a service account's key, relative to this file
# region = "eu-central-1"
# access_key_id = "env:EVENTS_ACCESS_KEY_ID"
# secret_access_key = "env:EVENTS_SECRET_ACCESS_KEY"
# session_token = "env:EVENTS_SESSION_TOKEN"
# path_style = true                                   # false puts the bucket into the host name
# profile = "events"                                  # of ~/.aws/config, instead of keys
# kms_key_id = "alias/events"                         # encrypts what is written: only of use under staging

# How Dagster shows the sources, and runs them.
[dagster]
# start = "2024-01-01"        # the date of the first partition
# partitions_per_run = 48     # a longer backfill becomes several runs
# max_rejects = 0.1           # a load is held back when more of a partition's events are quarantined or lose a value
# fresh_within = "3h"         # a source without a load for so long is shown as stale
# automation = false          # true turns sensors and schedules on in a new instance
# keep_runs_days = 30         # older runs are deleted by the schedule `prune`
# owners = []                 # e-mail addresses, or "team:name"
# url = "http://127.0.0.1:3000"   # of the UI: new tables appear by themselves, and alerts have links
# webhook = "env:ALERT_WEBHOOK"   # told of failed runs
# sync_every = "0 * * * *"        # when syncs run by themselves, as in cron, in UTC; without it only when asked
# snapshot = "readers.duckdb"     # a copy of the DuckDB file, for readers while loads run
"""
