"""What Redshift's errors mean. SQLSTATEs tell little there (most are XX000), so messages are matched, too.

Sources: c_serial_isolation.html, r_COPY.html and the errors in public issue trackers: aws/aws-sdk-pandas 665 (1023),
aws/amazon-redshift-jdbc-driver 147 (conflict), snowplow/snowplow-rdb-loader 1057 (VARCHAR of the same length).
"""

from loader.core.faults import Fault, Pattern

_AGAIN = "nothing is to be done: it is tried again"
_ROLE = (
    "check `iam_role` (or the keys) in [warehouse]: the cluster must have the role, and the role s3:GetObject and "
    "s3:ListBucket for staging, in the cluster's region"
)
_GRANT = (
    "grant this user CREATE on the database, or USAGE and CREATE on the schema; tables that others own must be given "
    "to it with ALTER TABLE … OWNER TO"
)
_DATA = "see which column it is; `loader rejects` has the values that were found too long or of another type"

PATTERNS = (
    Pattern(Fault.TRANSIENT, _AGAIN, codes=("1023", "40001", "40P01")),
    Pattern(Fault.TRANSIENT, _AGAIN, text=r"serializable isolation violation|conflict with concurrent transaction"),
    Pattern(Fault.TRANSIENT, _AGAIN, text=r"deadlock detected|could not open relation with oid|concurrent transaction"),
    Pattern(Fault.CREDENTIALS, "check `user` and `password` in [warehouse]", codes=("28*",)),
    Pattern(
        Fault.CREDENTIALS,
        "check the AWS credentials of this machine and `cluster` or `workgroup` in [warehouse]",
        text=r"password authentication failed|ExpiredToken|UnrecognizedClient|security token|no credentials",
    ),
    Pattern(Fault.CREDENTIALS, _ROLE, text=r"CREDENTIALS argument|InvalidAccessKeyId|SignatureDoesNotMatch"),
    Pattern(Fault.PERMISSION, _ROLE, text=r"S3ServiceException.*(AccessDenied|Forbidden)|not authorized to assume|403"),
    Pattern(Fault.RATE, _AGAIN, text=r"SlowDown|S3ServiceException.*(503|500)|Throttling|RequestLimitExceeded"),
    Pattern(Fault.MISSING, _ROLE, text=r"NoSuchBucket|NoSuchKey|S3ServiceException|prefix .* does not exist"),
    Pattern(Fault.CAPACITY, _AGAIN, codes=("53*", "57P03"), text=""),
    Pattern(Fault.CAPACITY, "free some of the cluster's disk, or make it larger", text=r"disk full|out of memory"),
    Pattern(Fault.CAPACITY, _AGAIN, text=r"connection limit|too many connections|is (paused|resizing|not available)"),
    Pattern(
        Fault.CAPACITY,
        "another load holds its turn, or WLM cancelled the query; it is tried again",
        codes=("57014",),
    ),
    Pattern(Fault.TRANSIENT, _AGAIN, codes=("08*", "57P01", "57P02")),
    Pattern(
        Fault.TRANSIENT,
        "check host and port in [warehouse], and that the cluster lets this machine in; it is tried again",
        text=r"BrokenPipe|server socket closed|connection is closed|timed out|connection (refused|reset)|server closed",
    ),
    Pattern(
        Fault.CREDENTIALS,
        "set `sslmode` in [warehouse] to what the server's certificate allows, or trust it",
        text=r"certificate verify failed|hostname mismatch|certificate is not valid",
    ),
    Pattern(Fault.PERMISSION, _GRANT, codes=("42501",)),
    Pattern(Fault.PERMISSION, _GRANT, text=r"permission denied|must be (owner|superuser)"),
    Pattern(
        Fault.SCHEMA,
        "a view holds on to the column; drop the view, or make it WITH NO SCHEMA BINDING",
        codes=("2BP01",),
    ),
    Pattern(
        Fault.SCHEMA,
        "the table was changed by someone else, or by another load just now; run again",
        codes=("42703", "42P01", "42P07", "42701", "3F000", "42P06"),
    ),
    Pattern(Fault.MISSING, "correct `database` in [warehouse]", codes=("3D000",)),
    Pattern(Fault.DATA, _DATA, codes=("22*", "23*")),
    Pattern(Fault.DATA, _DATA, text=r"value too long|Spectrum Scan Error|longer than the length|JSON pars|exceeds"),
)
