# shellcheck shell=sh disable=SC2154
# This machine is invited to be copied by evac. An agent is put into a folder of its own, calls the
# landing site, and goes with its folder when it is done. It reads the paths named above and the
# names of users and groups, and writes nothing.
evac_say() { printf 'evac: %s\n' "$*" >&2; }
evac_has() { command -v "$1" >/dev/null 2>&1; }
evac_get() {
  if evac_has curl; then
    curl -s "http://$evac_landing/$evac_id/$1"
  elif evac_has wget; then
    wget -qO- "http://$evac_landing/$evac_id/$1"
  else
    # shellcheck disable=SC2016
    bash -c 'exec 3<>"/dev/tcp/$0/$1" && printf "GET /%s\n" "$2" >&3 && cat <&3' \
      "$evac_address" "$evac_port" "$evac_id/$1"
  fi
}
evac_is_it() {
  [ -f "$1" ] || return 1
  if evac_has sha256sum; then
    evac_sum=$(sha256sum <"$1")
  else
    evac_sum=$(openssl dgst -sha256 -r <"$1")
  fi
  [ "${evac_sum%% *}" = "$evac_sha256" ]
}
evac_fetch() {
  evac_is_it "$1" && return
  if evac_has zstd; then evac_get agent.zst | zstd -dqc >"$1.part"; fi
  evac_is_it "$1.part" || evac_get agent >"$1.part"
  evac_is_it "$1.part" && mv -f "$1.part" "$1"
}
evac_clean() { rm -f "$1"/evac-agent-* && rmdir "$1" 2>/dev/null; }
evac_try() {
  [ -d "$1" ] && [ -w "$1" ] || return 1
  evac_place="$1/$evac_folder"
  mkdir "$evac_place" 2>/dev/null
  [ -d "$evac_place" ] && [ ! -L "$evac_place" ] && [ -O "$evac_place" ] || return 1
  chmod 700 "$evac_place" || return 1
  evac_agent="$evac_place/evac-agent-$evac_short"
  printf '#!/bin/sh\n' >"$evac_agent.try" && chmod 700 "$evac_agent.try" &&
    "$evac_agent.try" 2>/dev/null && rm -f "$evac_agent.try" &&
    evac_fetch "$evac_agent" && chmod 700 "$evac_agent" && return
  evac_clean "$evac_place"
  return 1
}
# The agent says how it goes until it was let in; then it lets go of its output.
evac_hear() {
  evac_in=1
  while IFS= read -r evac_line; do
    evac_say "$evac_line"
    case $evac_line in connected*) evac_in=0 ;; esac
  done
  return $evac_in
}
evac_start() {
  trap '' HUP
  exec 3<&0
  evac_granted exec "$evac_agent" agent --call "$evac_landing" --landing-key "$evac_key" \
    --folder "$evac_place" --generation "$evac_generation" --stay-s "$evac_stay" \
    -- <&3 3<&- 2>&1 &
}
evac_main() {
  evac_code=${K:-}
  unset K
  umask 077
  case "$(uname -s) $(uname -m)" in
    "Linux $evac_machine") ;;
    *) evac_say "this is $(uname -s) $(uname -m), and the agent is for Linux $evac_machine"; return 1 ;;
  esac
  [ -n "$evac_code" ] || { evac_say 'the code is missing: K=CODE before sh'; return 1; }
  evac_has sha256sum || evac_has openssl || { evac_say 'no sha256sum, no openssl'; return 1; }
  evac_say "this machine calls itself $(uname -n), and is to be copied as $evac_host"
  [ "$(id -u)" = 0 ] || evac_say 'not root: what only root may read will be missing'
  evac_short=$(printf %.32s "$evac_sha256")
  evac_place=/nowhere
  trap 'evac_clean "$evac_place"; exit 130' HUP INT TERM
  for evac_where in /dev/shm /run /var/tmp "${HOME:-/tmp}" /tmp; do
    if evac_try "$evac_where"; then
      trap - HUP INT TERM
      printf '%s\n' "$evac_code" | evac_start | evac_hear && return
      evac_clean "$evac_place"
      return 1
    fi
  done
  evac_say "the agent cannot be fetched, or no folder here can hold and start it; nothing was left"
  return 1
}
evac_main
