#!/bin/bash
# A Dask scheduler here and a worker on each host, over SSH, until this script is ended (Ctrl-C):
#
#   reference/cluster/over-ssh.sh 10.0.0.1:8786 worker-1 worker-2
#
# The first word is where the scheduler listens, an address of this machine that the hosts reach and strangers do not.
# Each host has this folder under the same path, with its .venv, and the folder of the lake, both on a shared disk.
set -euo pipefail
at=$1
shift
here=$(pwd)
trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT

.venv/bin/dask scheduler --host "${at%:*}" --port "${at##*:}" --no-dashboard &
for host in "$@"; do
    # With a terminal of its own (-tt) a worker ends with its connection.
    ssh -tt -o BatchMode=yes "$host" \
        "cd $(printf %q "$here") && exec .venv/bin/dask worker tcp://$at --nthreads 1 --no-dashboard" </dev/null &
done
wait -n
