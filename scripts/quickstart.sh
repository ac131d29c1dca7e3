#!/usr/bin/env bash
# From nothing to a diverse subset: makes an environment, installs, and runs recipes/quickstart.yaml.
#
#   bash scripts/quickstart.sh                                  on the demo pool
#   bash scripts/quickstart.sh POOL                             on a file, a folder or a hub name of yours
#   bash scripts/quickstart.sh POOL --set select.budget=5000    with changes to the recipe, as `selector run` takes them
#
# The result goes to out/quickstart in the project and replaces the result of an earlier run. See scripts/environment.sh for
# PYTHON and SELECTOR_TORCH.
set -euo pipefail

case ${1:-} in -h | --help) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; exit ;; esac

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
output=$project/out/quickstart
source "$project/scripts/environment.sh"
environment "$project" "$project/.venv" "."

pool=()
if [ $# -gt 0 ]; then
    pool=(--pool "$1")
    shift
fi
if [ -e "$output/manifest.json" ]; then
    echo "replacing the earlier result in $output" >&2
fi
"$project/.venv/bin/selector" run "$project/recipes/quickstart.yaml" "$output" --overwrite ${pool[@]+"${pool[@]}"} "$@"

cat <<END

The subset is in $output
Load it:   from datasets import load_dataset
           rows = load_dataset("$output", split="train")
Go on:     source "$project/.venv/bin/activate" && selector --help
END
