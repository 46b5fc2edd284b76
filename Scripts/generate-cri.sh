#!/bin/sh
# Regenerates Sources/CRI/Generated/cri.pb.swift from Sources/CRI/Proto/cri.proto.
# Needs protoc (Debian: protobuf-compiler), git and swift. The plugin is built from source, in a directory of its own
# that is kept for the next time; set PROTOC_GEN_SWIFT to a ready one to skip that.
set -eu

# The tag must be the version of swift-protobuf in Package.resolved: generated code and library go together.
tag=1.39.0
root=$(cd "$(dirname "$0")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/swiftlet/swift-protobuf-$tag

if [ -z "${PROTOC_GEN_SWIFT:-}" ]; then
  PROTOC_GEN_SWIFT=$cache/.build/debug/protoc-gen-swift
  if [ ! -x "$PROTOC_GEN_SWIFT" ]; then
    echo "building protoc-gen-swift $tag in $cache (about a minute)"
    rm -rf "$cache"
    mkdir -p "$(dirname "$cache")"
    git -c advice.detachedHead=false clone --quiet --depth 1 --branch "$tag" https://github.com/apple/swift-protobuf "$cache"
    (cd "$cache" && swift build -c debug --product protoc-gen-swift)
  fi
fi

protoc --plugin=protoc-gen-swift="$PROTOC_GEN_SWIFT" \
  --proto_path="$root/Sources/CRI/Proto" \
  --swift_opt=Visibility=Public \
  --swift_opt=UseAccessLevelOnImports=false \
  --swift_out="$root/Sources/CRI/Generated" \
  cri.proto
echo "wrote Sources/CRI/Generated/cri.pb.swift"
