#!/usr/bin/env bash
# All checks in an environment of their own: lint, format, types, floors, tests. Arguments go to pytest.
#
#   bash scripts/test.sh
#   bash scripts/test.sh tests/test_extension.py -x
#
# Every check runs, and the exit code is not 0 when any of them failed. See scripts/environment.sh for PYTHON and SELECTOR_TORCH.
set -euo pipefail

case ${1:-} in -h | --help) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; exit ;; esac

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source "$project/scripts/environment.sh"
environment "$project" "$project/.venv-test" ".[test]"
cd "$project"

export HF_HUB_OFFLINE=1 HF_DATASETS_OFFLINE=1 TOKENIZERS_PARALLELISM=false
tools=$(dirname "$ENVIRONMENT_PYTHON")
failed=()

check() {
    local name=$1
    shift
    echo "== $name"
    "$@" || failed+=("$name")
}

check "ruff check" "$tools/ruff" check .
check "ruff format" "$tools/ruff" format --check .
check "mypy" "$tools/mypy"
check "import-linter" "$tools/lint-imports"
# Two processes: much of a test is one thread. A file stays together, so that what its tests share is made once.
check "pytest" "$ENVIRONMENT_PYTHON" -m pytest -n 2 --dist loadfile "$@"

if [ ${#failed[@]} -gt 0 ]; then
    printf 'failed: %s\n' "${failed[@]}" >&2
    exit 1
fi
echo "all checks passed"
