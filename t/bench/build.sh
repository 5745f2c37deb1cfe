#!/bin/sh
#
# Builds the load tool: objs/bench/ngx_media_load.

set -e

here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/../../objs/bench}

mkdir -p "$out"

${CC:-cc} -O2 -g -Wall -Wextra -Werror -o "$out/ngx_media_load" "$here"/*.c
