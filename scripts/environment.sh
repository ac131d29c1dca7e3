# Sourced by the other scripts: makes or reuses a Python environment with the project in it. Sets ENVIRONMENT_PYTHON.
#
#   PYTHON           the interpreter to make it with, 3.11 or newer (default: the first that is found)
#   SELECTOR_TORCH   how torch is asked for (default: torch==2.13.0). With an index of one's own, as for a CPU build:
#                    SELECTOR_TORCH="torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu"

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    local candidate
    local -a candidates=(python3 python3.14 python3.13 python3.12 python3.11 python)
    if [ -n "${PYTHON:-}" ]; then
        candidates=("$PYTHON")
    fi
    for candidate in "${candidates[@]}"; do
        if new_enough "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    echo "error: Python 3.11 or newer is needed, but none was found as ${candidates[*]}; install it, or name it: PYTHON=/path/to/python3" >&2
    return 1
}

# environment PROJECT FOLDER REQUIREMENT: FOLDER holds an environment with REQUIREMENT, which is the project with or without extras.
environment() {
    local project=$1 folder=$2 requirement=$3 python pip
    ENVIRONMENT_PYTHON=$folder/bin/python
    if ! { new_enough "$ENVIRONMENT_PYTHON" && "$ENVIRONMENT_PYTHON" -m pip --version >/dev/null 2>&1; }; then
        python=$(find_python)
        echo "making the environment $folder with $python" >&2
        if ! "$python" -m venv --clear "$folder"; then
            echo "error: $python cannot make an environment; on Debian and Ubuntu, install the package python3-venv." >&2
            return 1
        fi
    fi
    pip=("$ENVIRONMENT_PYTHON" -m pip install --quiet --disable-pip-version-check)
    # torch goes first and by version: left to the other packages, pip may take a build that brings gigabytes for GPUs.
    if ! "$ENVIRONMENT_PYTHON" -c 'import importlib.metadata as m; m.version("torch")' >/dev/null 2>&1; then
        local -a torch
        read -r -a torch <<<"${SELECTOR_TORCH:-torch==2.13.0}"
        echo "installing ${torch[0]} (the largest part, some minutes)" >&2
        "${pip[@]}" "${torch[@]}"
    fi
    echo "installing $requirement" >&2
    (cd "$project" && "${pip[@]}" --editable "$requirement")
}
