#!/bin/sh
# Make the report of one day, once. Cron may start it as often as it likes.
#
#   nightly-report.sh [DAY]       DAY is a date such as 2026-11-21; default: yesterday, UTC
#
# It reads $NOTES/DAY.json, which is {"date": "DAY", "notes": "…"}, and writes
# $REPORTS/DAY.json. Who it is stands in the file that CUSTODY_TOKEN_FILE names;
# where the server is, in CUSTODY_URL.
#
# Exit: 0 the report is there, 75 not now (start it again), 1 a person is needed.
set -u
umask 077
day=${1:-$(date -u -d yesterday +%F 2>/dev/null || date -u -v-1d +%F)}
: "${NOTES:?a directory with the notes}" "${REPORTS:?a directory for the reports}"

# The key makes a second start harmless: for one day there is one run, whoever
# starts it and however often. --wait ends with 6 if that run failed.
said=$(custody run submit nightly-report --key "nightly-report-$day" --input "@$NOTES/$day.json" --wait)
code=$?
run=$(printf '%s\n' "$said" | grep -o 'run_[0-9a-z]\{26\}' | head -n 1)

case $code in
0) ;;
6)
  echo "nightly-report: the run of $day failed; look, then repeat it: custody run watch $run; custody run retry $run" >&2
  exit 1
  ;;
8)
  echo "nightly-report: the server is not there, or has too much to do; nothing is lost" >&2
  exit 75
  ;;
3)
  echo "nightly-report: refused; has the token in $CUSTODY_TOKEN_FILE ended, or the role been taken away?" >&2
  exit 1
  ;;
5)
  echo "nightly-report: the notes of $day do not fit, or have changed since their report was asked for" >&2
  exit 1
  ;;
*)
  echo "nightly-report: custody ended with $code" >&2
  exit 1
  ;;
esac

# Reading content leaves an entry in the record, so it is read once.
[ ! -s "$REPORTS/$day.json" ] || exit 0
custody run output "$run" > "$REPORTS/.$day.json" || exit 75
mv "$REPORTS/.$day.json" "$REPORTS/$day.json"
