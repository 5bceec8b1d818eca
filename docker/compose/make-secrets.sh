#!/bin/sh
# Writes the secrets that docker-compose.yml mounts into secrets/, random ones, and leaves those that are there.
set -eu
cd "$(dirname "$0")/../.."
mkdir -p secrets
# Containers run as user 1000 and compose mounts files as they are; the folder keeps other people out.
chmod 700 secrets
for name in redis-password relay-token api-key board-key grafana-password; do
  [ -s "secrets/$name" ] || head -c 24 /dev/urandom | base64 | tr '+/' '-_' > "secrets/$name"
  chmod 644 "secrets/$name"
done
echo "The key of clients is in secrets/api-key."
