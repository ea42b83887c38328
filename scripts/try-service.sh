#!/usr/bin/env bash
# Tries the service under a real systemd: install, life signs, hardening, a stopped process that the
# watchdog restarts, uninstall. Some two minutes.
#
#   sudo scripts/try-service.sh [site-packages]
#
# A systemd of its own runs as the first process of new namespaces, over a view of this system whose
# changes go to memory: nothing outside is changed. Needs root, systemd, overlayfs, and packages
# for /usr/bin/python3 in a folder that everybody may read (.venv/lib/python3.*/site-packages).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source=$(dirname "$here")
minor=$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
site=${1:-$source/.venv/lib/python$minor/site-packages}

refuse() {
    echo "mien: $*" >&2
    exit 2
}
[ "$(id -u)" = 0 ] || refuse "only root may make such namespaces: put sudo in front."
[ -x /lib/systemd/systemd ] || refuse "there is no systemd here: apt install systemd."
[ -d "$site" ] || refuse "there is no $site: name a folder with mien's packages for Python $minor."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/out" "$work/layers"

cat >"$work/mien" <<END
#!/bin/sh
export PYTHONPATH=$site:$source/edge PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 -c "from mien.__main__ import main; main()" "\$@"
END
cat >"$work/try.service" <<END
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
ExecStart=/bin/bash /out/steps.sh
StandardOutput=append:/out/log
StandardError=append:/out/log
TimeoutStartSec=600
ExecStopPost=/bin/sh -c "kill -RTMIN+4 1"
END
cat >"$work/default.target" <<END
[Unit]
DefaultDependencies=no
Requires=try.service
END

cat >"$work/out/steps.sh" <<'END'
set -euo pipefail
step() { echo "== $*"; }
said() { systemctl show mien --property="$1" --value; }
becomes() { # property, value, seconds
    for _ in $(seq "$3"); do [ "$(said "$1")" = "$2" ] && return 0; sleep 1; done
    echo "$1 is $(said "$1"), not $2, after $3 s"; systemctl status mien --no-pager || true; return 1
}
step "the service starts when the first frame went through"
printf 'source = "/out/clip.mp4"\nfps = 2\njsonl = "faces.jsonl"\n' >/etc/mien.toml
mkdir -p /etc/systemd/system/mien.service.d
printf '[Service]\nWatchdogSec=20\nRestartSec=1\n' >/etc/systemd/system/mien.service.d/quick.conf
mien service install
becomes ActiveState active 300
sleep 10
mien service status
step "it is what it was told to be"
pid=$(said MainPID)
grep -E '^(NoNewPrivs:\s1|Seccomp:\s2|CapEff:\s0+$)' "/proc/$pid/status" | tee /out/found
[ "$(wc -l </out/found)" = 3 ]
[ "$(stat -c %U "/proc/$pid")" = mien ]
[ "$(nsenter -t "$pid" -n cat /proc/net/dev | grep -c :)" = 1 ] # only the loopback
[ -s /var/lib/mien/faces.jsonl ]
[ "$(said NRestarts)" = 0 ]
journalctl --no-pager -o cat MIEN_EVENT=started | grep 'clip.mp4 is read with mien'
step "the hardening leaves the fast kernels, the model its answer"
sed -e 's/^Type=notify/Type=oneshot\nStandardOutput=append:\/var\/log\/check/' \
    -e 's#^ExecStart=.*#ExecStart=/usr/bin/mien doctor --config none#' \
    -e '/^\(WatchdogSec\|NotifyAccess\|Restart\)/d' \
    /etc/systemd/system/mien.service >/etc/systemd/system/check.service
systemctl daemon-reload
systemctl start check
grep -E '^(kernels|reference face) +ok' /var/log/check | tee /out/found
[ "$(wc -l </out/found)" = 2 ]
step "a process that is stopped is restarted"
lines=$(wc -l </var/lib/mien/faces.jsonl)
kill -STOP "$pid"
becomes NRestarts 1 120
becomes ActiveState active 300
[ "$(said MainPID)" != "$pid" ]
sleep 5
[ "$(wc -l </var/lib/mien/faces.jsonl)" -gt "$lines" ] # the recording goes on
journalctl --no-pager -u mien | grep -m 1 'most recent call first' # where every thread stood
step "a made-up token is in a file for its owner, and in no log"
printf 'web = "0.0.0.0:8080"\n' >>/etc/mien.toml
mien service install
becomes ActiveState active 300
[ "$(stat -c '%a %U' /var/lib/mien/page-token)" = "600 mien" ]
journalctl --no-pager -o cat MIEN_EVENT=page | grep 'asks for the token in /var/lib/mien/page-token'
if journalctl --no-pager | grep -F "$(cat /var/lib/mien/page-token)"; then exit 1; fi
step "it goes without a trace but options and recordings"
mien service uninstall
if id mien 2>/dev/null; then exit 1; fi
[ ! -e /etc/systemd/system/mien.service ]
[ -e /etc/mien.toml ] && [ -s /var/lib/mien/faces.jsonl ]
echo "== well"
END

cat >"$work/outer.sh" <<'END'
set -euo pipefail
mount -t tmpfs tmpfs "$1/layers"
mkdir "$1"/layers/{upper,work,root}
root=$1/layers/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/layers/upper,workdir=$1/layers/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount --rbind /dev "$root/dev"
mkdir -p "$root/out"
mount --bind "$1/out" "$root/out"
rm -rf "$root"/etc/systemd/system/*.wants "$root/etc/systemd/system/default.target" "$root/etc/mien.toml"
mount -t tmpfs tmpfs "$root/run"
cp "$1/try.service" "$1/default.target" "$root/etc/systemd/system/"
install -m 755 "$1/mien" "$root/usr/bin/mien"
exec chroot "$root" /usr/bin/env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system
END

cp "$source/edge/mien/demo/clip.mp4" "$work/out/"
chmod 755 "$work" "$work/out"
timeout 900 unshare --mount --pid --fork --uts --ipc --net --cgroup --propagation private \
    bash "$work/outer.sh" "$work" >"$work/console" 2>&1 || true
cat "$work/out/log" || cat "$work/console"
[ "$(tail -n 1 "$work/out/log")" = "== well" ]
