"""Names of reconstruction methods, as settings and the command line take them."""

from typing import Literal

# As in lithoscope_pipeline.reconstruct, which is not imported here: settings must load at once.
BackendName = Literal[
    "auto",
    "fourier",
    "fourier-cuda",
    "astra",
    "astra-sirt",
    "astra-cgls",
    "tomopy",
    "tomopy-fbp",
    "tomopy-art",
    "tomopy-bart",
    "tomopy-sirt",
    "tomopy-mlem",
    "tomopy-osem",
    "tomopy-pml_hybrid",
    "tomopy-pml_quad",
    "tomopy-ospml_hybrid",
    "tomopy-ospml_quad",
    "tomopy-tv",
    "tomopy-grad",
]
