"""All tests. They sign requests to AWS as the layer does, which has no native library for that."""

import os

# Read when botocore is imported. The native library hangs in a process that was forked.
os.environ["BOTO_DISABLE_CRT"] = "true"
