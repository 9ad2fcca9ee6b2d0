#!/bin/sh
# Prints the kafka-acls commands of acls.csv: review them, then run them.
#   deploy/kafka/acls.sh User:receipts- broker:9092 admin.properties | sh
# gives role `sink` the principal User:receipts-sink, and so on.
set -eu
prefix=${1:?first the start of the principals, such as User:receipts-}
bootstrap=${2:?then the bootstrap servers}
config=${3:?then the properties file with which an administrator connects}
tail -n +2 "$(dirname "$0")/acls.csv" | while IFS=, read -r role resource name pattern operations; do
  set --
  for operation in $operations; do set -- "$@" --operation "$operation"; done
  echo "kafka-acls.sh --bootstrap-server $bootstrap --command-config $config --add --allow-principal $prefix$role" \
    "--$resource $name --resource-pattern-type $pattern $*"
done
