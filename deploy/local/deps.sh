#!/bin/sh
# Installs the Debian packages that deploy/packages.txt names for the given groups (all without one), and only those
# that are missing. Silent when nothing is. Run by make; needs root or sudo only when something has to be installed.
set -eu
list=${0%/*}/../packages.txt
groups=${*:-build run test bench lint}

say() { printf 'deps: %s\n' "$*" >&2; }

# Version MAJOR or later of a program?  have node 18
have() {
	command -v "$1" >/dev/null 2>&1 || return 1
	[ -n "${2:-}" ] || return 0
	found=$("$1" --version 2>/dev/null | sed -n '1s/^[^0-9]*\([0-9][0-9]*\).*/\1/p')
	[ "${found:-0}" -ge "$2" ]
}

wanted=
while read -r group names unless program major; do
	case $group in '' | \#*) continue ;; esac
	case " $groups " in *" $group "*) ;; *) continue ;; esac
	if [ "${unless:-}" = unless ] && have "$program" "${major:-}"; then
		continue
	fi
	wanted="$wanted $names"
done <"$list"

plain=$(printf '%s' "$wanted" | sed 's/|[^ ]*//g')
if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
	say "this is no Debian system (no dpkg and apt-get), so nothing can be installed from here."
	say "Install by your own system's means what these Debian packages hold, then run make with SHOAL_SKIP_DEPS=1:"
	say " $plain"
	[ -n "${SHOAL_SKIP_DEPS:-}" ] && exit 0
	exit 1
fi
[ -z "${SHOAL_SKIP_DEPS:-}" ] || exit 0

installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' 2>/dev/null | sed -n 's/^installed //p')
is_installed() { printf '%s\n' "$installed" | grep -qx -- "$1"; }

missing=
for names in $wanted; do
	done=
	for name in $(printf '%s' "$names" | tr '|' ' '); do
		is_installed "$name" && done=yes && break
	done
	[ -z "$done" ] || continue
	missing="$missing $names"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
	as_root=
elif command -v sudo >/dev/null 2>&1 && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
	as_root=sudo
else
	say "these Debian packages are missing, and I am neither root nor can I use sudo here:"
	say " $(printf '%s' "$missing" | sed 's/|[^ ]*//g')"
	say "Have them installed, for example by:"
	say "  su -c 'apt-get install --no-install-recommends$(printf '%s' "$missing" | sed 's/|[^ ]*//g')'"
	exit 1
fi

# The first of several names that apt knows.
choose() {
	chosen=
	for names in $missing; do
		pick=${names%%|*}
		for name in $(printf '%s' "$names" | tr '|' ' '); do
			if apt-cache show "$name" >/dev/null 2>&1; then
				pick=$name
				break
			fi
		done
		chosen="$chosen $pick"
	done
}
install() {
	# shellcheck disable=SC2086
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $chosen </dev/null >&2
}

choose
say "installing$chosen"
if ! install; then
	say "trying again with fresh package lists"
	$as_root apt-get update -q </dev/null >&2
	choose
	if ! install; then
		say "apt-get could not install$chosen (its own words are above)."
		say "Check the network and the apt sources, or install them by hand; then run make again."
		exit 1
	fi
fi
case " $chosen " in
*" postgresql "* | *" nats-server "* | *" etcd-server "*)
	say "note: Debian starts services of its own with some of these packages (postgresql, nats-server, etcd). shoal does"
	say "not use them (it starts private ones); 'systemctl disable --now postgresql nats-server etcd' switches them off."
	;;
esac
