"""How many threads numpy and scipy compute with."""

import numpy  # noqa: F401  (only libraries that are loaded are found)
import scipy.linalg  # noqa: F401
from threadpoolctl import ThreadpoolController

# For functions that multiply one image's matrices. OpenBLAS splits each product over all cores, and its threads then
# spin for some 25 ms in wait of the next: on two cores an estimate took 100 ms with and 80 ms without them, and they
# took a whole core from whatever else the robot runs. Outside of the function the caller's own setting holds.
one_blas_thread = ThreadpoolController().wrap(limits=1, user_api="blas")
