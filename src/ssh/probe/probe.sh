# evac looks round: read-only, but for one small file that it writes, runs and removes in each
# folder that might take the agent. Plain POSIX sh; every answer is one line `key=value`.
#
# It stands in a function, so that the shell has read all of it before anything else runs: sudo may
# read ahead on standard input, which is where this script comes from.
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
say() { printf '%s=%s\n' "$1" "$(printf %s "$2" | tr '\n\r' '  ' | cut -c1-200)"; }

main() {
echo
echo EVAC-PROBE-BEGIN
say system "$(uname -s)"
say machine "$(uname -m)"
say kernel "$(uname -r)"
say hostname "$(uname -n)"
say uid "$(id -u)"
say clock_s "$(date +%s)"
say cpus "$(getconf _NPROCESSORS_ONLN 2>/dev/null || grep -c ^processor /proc/cpuinfo 2>/dev/null)"
while read -r name amount rest; do
  case $name in MemTotal:) say memory_kib "$amount" ;; esac
done </proc/meminfo 2>/dev/null
for file in /etc/machine-id /var/lib/dbus/machine-id; do
  if [ -r "$file" ]; then say machine_id "$(cat "$file" 2>/dev/null)"; break; fi
done
root_fs=
while read -r device folder kind rest; do
  if [ "$folder" = / ]; then root_fs=$kind; fi
done </proc/mounts 2>/dev/null
say root_fs "$root_fs"

if [ "$(id -u)" = 0 ]; then
  as_root=
  say root already
elif refusal=$(sudo -n -- true 2>&1 </dev/null); then
  as_root='sudo -n --'
  say root sudo
else
  as_root=
  say root "no $refusal"
fi

for tool in rsync gzip zstd sha1sum python3 perl systemctl mysqld mariadbd mysql mysqldump postgres \
  psql pg_dump mongod redis-server pveversion virsh xl docker podman lxc-ls vzctl zfs zpool btrfs \
  lvs dmsetup fsfreeze getfattr getfacl plesk whmapi1 da; do
  if command -v "$tool" >/dev/null 2>&1; then say tool "$tool"; fi
done
if [ -x /usr/local/cpanel/cpanel ]; then say tool cpanel; fi
if [ -x /usr/local/psa/version ] || [ -d /usr/local/psa ]; then say tool plesk; fi
if [ -x /usr/local/directadmin/directadmin ]; then say tool directadmin; fi

# As whoever the agent will run as. Quoted here-document: nothing in it is expanded out here.
$as_root sh -s -- "$XDG_RUNTIME_DIR" "$HOME" <<'FOLDERS'
umask 077
here=
# A terminal that hangs up must not leave a folder on somebody's machine.
leave() { if [ -n "$here" ]; then rm -f "$here/run"; rmdir "$here"; fi; here=; }
trap 'leave; exit 1' HUP INT TERM
try() {
  folder=$1
  case $folder in /*) ;; *) return ;; esac
  if [ ! -d "$folder" ]; then return; fi
  free=$(df -Pk "$folder" 2>/dev/null | awk 'END { print $(NF-2) }')
  kind=$(stat -f -c %T "$folder" 2>/dev/null | tr ' ' _)
  case $free in ''|*[!0-9]*) free=0 ;; esac
  here=$folder/.evac-probe-$$
  state=unwritable
  if mkdir "$here" 2>/dev/null; then
    if printf '#!/bin/sh\nexit 0\n' 2>/dev/null >"$here/run" && chmod 0700 "$here/run"; then
      if "$here/run" 2>/dev/null; then state=runs; else state=noexec; fi
    fi
    leave
  fi
  here=
  printf 'folder=%s %s %s %s\n' "$state" "$free" "${kind:-unknown}" "$folder"
}
try /dev/shm
try /run
try "$1"
try /var/tmp
try "$2"
try /tmp
try /root
try /var/lib
FOLDERS
echo EVAC-PROBE-END
}
main
