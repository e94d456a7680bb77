#!/usr/bin/env bash
# One worker a GPU on this machine, under a scheduler that other machines can reach over TLS.
# dask-cuda gives each worker a GPU of its own; it is not on all package indexes: install it with
# conda (rapidsai) beside lithoscope[cluster,gpu].
#
#   CERTIFICATES=~/certificates deploy/dask-cuda.sh
#   lithoscope reprocess cell-7 --as cell-7b --scheduler tls://gpu-node:8786 --config cluster.toml
set -euo pipefail
: "${CERTIFICATES:?folder with ca.pem, node.pem and node.key}"
tls=(--tls-ca-file "$CERTIFICATES/ca.pem" --tls-cert "$CERTIFICATES/node.pem"
    --tls-key "$CERTIFICATES/node.key")
dask scheduler --protocol tls --port 8786 --no-dashboard "${tls[@]}" &
trap 'kill %1' EXIT
# No memory limit of Dask's own: the stages plan their memory, and a worker that is stopped in the
# middle of a slab helps nobody.
dask cuda worker "tls://$(hostname):8786" --protocol tls --memory-limit 0 "${tls[@]}"
