"""What the functions of the billing API share."""

import gc

# Importing makes some 70,000 objects that all stay. Looking through them for garbage at every
# 2,000th, as is the default, takes 7% of a cold start; now and then is enough for the rest.
gc.set_threshold(100_000)
