#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# install.sh: install Kontain on this host, or remove it.
#
# Usage: sudo ./install.sh [OPTION...]
#        wget -O - URL/install.sh | sudo bash [-s -- OPTION...]
#
#   --engines LIST    register with these engines, some of containerd, crio, docker and podman with
#                     commas between, and install docker and podman where they are missing
#                     (default: docker and podman where they are there; podman where neither is)
#   --offline BUNDLE  install this bundle, a file or an unpacked folder, and fetch nothing
#   --release VERSION install this release instead of the script's own
#   --from URL        the folder that has the bundles; %s in it stands for the version
#   --downgrade       allow a release older than the installed one
#   --key FILE        verify the bundle by this public key (PEM), not the installed release's
#   --unsigned        accept a bundle without a signature
#   --keep            keep the installation even if the test program fails
#   --dry-run         check the host and print what would change; change nothing
#   --uninstall       undo all changes, except distribution packages and logs
#   --yes             do not ask before --uninstall
#   --json            end with one JSON object on standard output; all else goes to standard error
#   --version         print the version that would be installed
#   --help            print this
#
# A published install.sh fetches its bundle; in a checkout it builds one. Before it unpacks anything,
# it refuses a bundle that the installed release's key did not sign, or on a new host the key below.
# It trusts an unpacked folder only where it lies in it. It checks the host, fetches a private
# Ansible, runs the playbook kontain.platform.install on this host, and then runs a test program in a
# VM by km, krun and each engine. Where it can get no Ansible, it installs by the release's own
# `kontain`. When the test program fails, the host gets its previous release back, or none.
# It does not touch /usr, except for links in /usr/local and for missing distribution packages:
# python3, its venv module, make, gcc, musl, crun and podman. It restarts no engine.
# A second run changes nothing. After an interruption, run it again: it continues.
#
# Environment: https_proxy, http_proxy and no_proxy; PIP_INDEX_URL, a mirror of the Python package
# index; KONTAIN_FROM, as --from. The host's package manager keeps its own sources of packages.
# sudo drops these: write `sudo NAME=VALUE bash`.
#
# Files: /opt/kontain, /etc/kontain, /var/lib/kontain (with the private Ansible), and the log
# /var/log/kontain/install.log. `kontain info` tells the rest.
#
# Exit status: 0 done, or nothing to do; 1 a step failed; 2 wrong usage; 3 this host cannot run
# Kontain, and nothing was changed; 4 not root; 5 a bundle or package could not be had or trusted;
# 8 the proof failed, and the host is as before unless --keep was given; 130 interrupted.
#
# Documentation: https://github.com/kontainapp/platform/tree/main/docs

# A script that was cut off may end in a part of a function's name, which may be a program's name:
# until main knows that all of it is there, there are no programs. The braces here and around the
# call of main are because a part of those lines would be a command, too.
# shellcheck disable=SC2123 # it is meant
{ PATH=/nonexistent; }
set -u

# `make dist` fills in the release that this script belongs to, and the public key (RSA, as base64)
# that its bundle must be signed with. A checkout trusts the bundles of its own `make dist`.
RELEASE_VERSION=''
RELEASE_KEY=''
RELEASE_URL='https://github.com/kontainapp/platform/releases/download/v%s'
OLDEST_ANSIBLE=2.15.0

# die STATUS PROBLEM FIX: the one way out that is not good; it always says what to do next.
die() {
	say_error "install.sh: $2." "To fix: $3."
	print_json "$1" "{\"problem\":$(quote "$2"),\"fix\":$(quote "$3")}"
	exit "$1"
}

say() {
	printf '%s\n' "$@"
	[ -z "$LOG" ] || printf '%s\n' "$@" >>"$LOG"
}

say_error() {
	printf '%s\n' "$@" >&2
	[ -z "$LOG" ] || printf '%s\n' "$@" >>"$LOG"
}

# Print the words as one JSON string.
quote() {
	printf '"%s"' "$(printf '%s' "$*" | tr '\n\t' '  ' | tr -d '\000-\037' | sed 's/[\\"]/\\&/g')"
}

# print_json STATUS ERROR: the object that --json ends with; the parts are JSON already.
print_json() {
	[ "$JSON" ] || return 0
	printf '{"schema":1,"action":"%s","version":"%s","status":%s,"check":%s,"run":%s,"proof":%s,"error":%s}\n' \
		"$ACTION" "$VERSION" "$1" "${CHECK:-null}" "${RUN:-null}" "${PROOF:-null}" "$2" >&3
}

# Read from a pipe, the script has no file to show.
usage() {
	[ "$SCRIPT" ] || say "Store this script in a file, then: sh FILE --help" "Documentation: $DOCS"
	[ -z "$SCRIPT" ] || sed -n '/^# install.sh:/,/^$/s/^# \{0,1\}//p' "$SCRIPT"
}

parse_arguments() {
	while [ $# -gt 0 ]; do
		case $1 in
		--engines=* | --offline=* | --release=* | --from=* | --key=*) set_value "${1%%=*}" "${1#*=}" ;;
		--engines | --offline | --release | --from | --key)
			[ $# -ge 2 ] || die 2 "the option $1 needs a value" "see install.sh --help"
			set_value "$1" "$2"
			shift
			;;
		--dry-run) DRY_RUN=yes ;;
		--downgrade) DOWNGRADE=yes ;;
		--unsigned) UNSIGNED=yes ;;
		--keep) KEEP=yes ;;
		--uninstall) ACTION=uninstall ;;
		--yes) YES=yes ;;
		--json) ;; # main has seen it
		--version) ACTION=version ;;
		--help) ACTION=help ;;
		*) die 2 "there is no option '$1'" "see install.sh --help" ;;
		esac
		shift
	done
}

set_value() {
	case $1:$2 in
	--engines:*)
		for _engine in $(printf '%s' "$2," | tr -c 'a-z,' '-' | tr ',' ' '); do
			case $_engine in containerd | crio | docker | podman) ;; *) _engine= && break ;; esac
		done
		case ${_engine-}:$2 in
		:* | *:,* | *,,* | *,)
			die 2 "--engines is '$2', wanted some of containerd,crio,docker,podman" "name the engines so"
			;;
		esac
		ENGINES=$2
		;;
	--offline:*)
		OFFLINE=$(readlink -f -- "$2") && [ -e "$OFFLINE" ] ||
			die 5 "there is no bundle '$2'" "give the file kontain-VERSION-x86_64.tar.gz or its folder"
		;;
	--key:*)
		KEY=$(readlink -f -- "$2") && [ -f "$KEY" ] || die 5 "there is no key '$2'" "give the file release.pub"
		;;
	--release:[0-9]*.[0-9]*.[0-9]*) RELEASE=$2 ;;
	--release:*) die 2 "--release is '$2', wanted a version such as 0.1.0" "name a release so" ;;
	--from:http://?* | --from:https://?*) FROM=$2 ;;
	--from:*) die 2 "--from is '$2', wanted the http or https URL of a folder" "give such a URL" ;;
	esac
}

require_root() {
	[ "$(id -u)" -eq 0 ] || die 4 "this is user $(id -un), and only root may change the host" \
		"run 'sudo ./install.sh'"
}

# TREE is the checkout or bundle that this script lies in, or nothing: then the bundle is fetched.
# What lies next to it in a folder that everybody may write to, such as /tmp, may be anybody's.
find_tree() {
	TREE=${SCRIPT%/*} _is_open=
	[ ! "$SCRIPT" ] || _is_open=$(find "$TREE/." -prune -perm -0002)
	if [ "$_is_open" ] && [ ! "$RELEASE_VERSION" ]; then
		die 5 "every user may write to $TREE, which this script is in" "run \`chmod o-w $TREE\`, or copy all of it elsewhere"
	elif [ "$SCRIPT" ] && [ ! "$_is_open" ] && [ -f "$TREE/galaxy.yml" ]; then
		VERSION=$(sed -n 's/^version: *//p' "$TREE/galaxy.yml")
		LIBRARY=$TREE/command:$TREE/host:$TREE/preflight
		[ -n "$RELEASE_KEY" ] || RELEASE_KEY=$(grep -sv '^-' "$TREE/build/dist/release.pub" | tr -d '\n')
	elif [ "$SCRIPT" ] && [ ! "$_is_open" ] && [ -f "$TREE/release/VERSION" ]; then
		VERSION=$(cat "$TREE/release/VERSION")
		LIBRARY=$TREE/release/lib/python
	elif [ "$RELEASE_VERSION" ]; then
		TREE='' VERSION=$RELEASE_VERSION LIBRARY=$PREFIX/current/lib/python
	else
		die 5 "${TREE:-standard input} is neither a checkout nor an unpacked bundle" \
			"take the install.sh of a release, or run the one in an unpacked bundle"
	fi
}

# Run a command of the tree's own Python.
tree_python() { PYTHONPATH=$LIBRARY "$PYTHON" -s -m "$@" 9>&-; }

# A command that should never fail.
ensure() { "$@" || die 1 "cannot run '$*'" "see whether the disk is full or read-only, then run this again"; }

# ---- the host's packages

find_package_manager() {
	for MANAGER in apt-get dnf zypper pacman apk none; do
		! command -v $MANAGER >/dev/null || return 0
	done
}

# The package that has a program; roles/packages/vars/main.yml says the same for the roles.
package_of() {
	case $MANAGER:$1 in
	apt-get:venv) echo python3-venv ;;
	zypper:venv) echo python3-base ;;
	pacman:venv | pacman:python3) echo python ;;
	*:venv) echo python3 ;;
	apt-get:gcc) echo gcc libc6-dev ;;
	apt-get:musl-gcc) echo musl-tools ;;
	dnf:musl-gcc) echo musl-gcc musl-libc-static ;;
	zypper:musl-gcc) echo musl musl-devel ;;
	pacman:musl-gcc) echo musl ;;
	apk:musl-gcc) echo musl-dev linux-headers ;;
	apt-get:dockerd) echo docker.io ;;
	dnf:dockerd) echo moby-engine ;;
	*:dockerd) echo docker ;;
	dnf:g++ | zypper:g++) echo gcc-c++ ;;
	pacman:g++) echo gcc ;;
	*:ansible-playbook) echo ansible-core ;;
	*) echo "$1" ;;
	esac
}

# add_packages PROGRAM...: install the packages of these programs.
add_packages() {
	_packages=
	for _program; do _packages="$_packages $(package_of "$_program")"; done
	[ -z "$OFFLINE" ] || die 5 "these packages are missing:$_packages, and --offline forbids fetching them" \
		"install them from your mirror, then run this again"
	[ "$MANAGER" != none ] || die 5 "this host has none of apt-get, dnf, zypper, pacman and apk" \
		"install$_packages by hand, then run this again"
	STEP="installing$_packages"
	say "installing the distribution's$_packages"
	# shellcheck disable=SC2086 # a list of words
	install_packages $_packages ||
		die 5 "$MANAGER could not install$_packages" "see ${LOG:-above}, then run this again"
}

# The package lists are fetched only where the packages are not to be had without.
install_packages() {
	case $MANAGER in
	apt-get)
		logged apt_get install "$@" || { logged apt_get update && logged apt_get install "$@"; }
		;;
	dnf) logged dnf -y install "$@" ;;
	zypper) logged zypper --non-interactive install "$@" ;;
	pacman) logged pacman --noconfirm -Sy --needed "$@" ;;
	apk) logged apk add "$@" ;;
	esac
}

apt_get() { DEBIAN_FRONTEND=noninteractive apt-get -y -o Dpkg::Use-Pty=0 --no-install-recommends "$@"; }

# Run a command with all that it says in the log; where there is no log yet, on standard error.
# A daemon that it starts must not inherit the lock, which is descriptor 9.
logged() {
	if [ "$LOG" ]; then "$@" >>"$LOG" 2>&1; else "$@" >&2; fi </dev/null 9>&-
}

# ---- the bundle, where it is a file

# Install from a bundle that has to be fetched, or that --offline names: by the install.sh in it,
# once the bundle is found good.
hand_over() {
	STEP="getting the bundle"
	_wanted=${RELEASE:-$VERSION}
	_url=$(printf '%s' "${FROM:-${KONTAIN_FROM:-$RELEASE_URL}}/kontain-$_wanted-x86_64.tar.gz" | sed "s/%s/$_wanted/")
	[ -z "$OFFLINE" ] || _url=$OFFLINE _wanted=$RELEASE
	choose_key
	[ "$_key" ] || die 5 "this install.sh has no key to judge $_url by" \
		"use the install.sh that was published with the bundle, or give --key"
	trap 'rm -rf "$WORK"' EXIT
	trap interrupted INT TERM HUP
	WORK=$(mktemp -d) || die 1 "cannot make a temporary folder" "see whether the disk is full"
	say "getting $_url"
	[ "$DOWNGRADE" ] || _oldest=$(cat $PREFIX/current/VERSION 2>/dev/null)
	_said=$(take_bundle "$_url" "$WORK/bundle.tar.gz" "$_key" "$_whose" "$_wanted" "${_oldest-}") ||
		die 5 "${_said%%
*}" "${_said#*
}"
	tar -C "$WORK" -xzf "$WORK/bundle.tar.gz" ||
		die 1 "cannot unpack the bundle in $WORK" "see whether the disk is full"
	# The script in there is of one piece; it takes the signals, and this one waits for it.
	trap : INT TERM HUP
	sh "$WORK/kontain-$_said/install.sh" ${OFFLINE:+--offline "$WORK/kontain-$_said"} \
		${ENGINES:+--engines "$ENGINES"} ${DRY_RUN:+--dry-run} ${JSON:+--json} \
		${DOWNGRADE:+--downgrade} ${KEEP:+--keep} >&3
	exit
}

# Set _key to the public key that the bundle must be signed with, and _whose to what it is called.
choose_key() {
	_installed=$PREFIX/current/share/release.pub
	_key=$RELEASE_KEY _whose="the key of this install.sh"
	[ ! -f "$_installed" ] || _key=$(cat "$_installed") _whose="the key of the installed release"
	[ ! "$KEY" ] || _key=$(cat "$KEY") _whose="the key $KEY"
	[ ! "$UNSIGNED" ] || _key=unsigned
}

# take_bundle SOURCE PLACE KEY WHOSE [VERSION [OLDEST]]: write a bundle to PLACE once it is found
# good. Prints its version; or what is wrong and what to do, with status 1. `make dist` puts the
# programs in the place of this line's file.
take_bundle() {
	PYTHONPATH=$LIBRARY "$PYTHON" -s "$TREE/tools/release/take_bundle.py" "$@"
}

# ---- the steps

# The architecture is asked before Python is installed: nothing is changed on a host that cannot.
get_python() {
	STEP="looking for Python"
	_arch=$(uname -m)
	[ "$_arch" = x86_64 ] || die 3 "the architecture of this host is $_arch, wanted x86_64" \
		"use an x86-64 host: km runs x86-64 programs and nothing else"
	PYTHON=$(command -v python3) || {
		[ -z "$DRY_RUN" ] || die 5 "python3 is missing, and --dry-run installs nothing" "install python3"
		add_packages python3
		PYTHON=$(command -v python3) || die 5 "there is no python3 after its installation" "see $LOG"
	}
	"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 9))' ||
		die 3 "$("$PYTHON" --version 2>&1) is too old, wanted 3.9 or newer" \
			"make python3 3.9 or newer, or use a newer distribution"
}

# check_host [quietly]: by the bundle's own km where there is one already.
check_host() {
	STEP="checking the host"
	_km=$TREE/release/bin/km
	[ -f "$_km" ] || _km=$TREE/build/km/km
	[ -f "$_km" ] || _km=
	[ "$JSON$*" ] || tree_python kontain_preflight --no-proof ${_km:+--km "$_km"}
	CHECK=$(tree_python kontain_preflight --no-proof --json ${_km:+--km "$_km"})
	_status=$?
	case $_status in
	0 | 1) ;;
	3)
		die 3 "this host cannot run Kontain: $(printf '%s' "$CHECK" | first_failure)" \
			"do what the checks say, then run this again; packages for a build apart, nothing was changed"
		;;
	*) die 1 "the check of the host ended with status $_status" "report what it said" ;;
	esac
}

# Print the programs that the host lacks, as the checks found it, of those that the roles would bring.
missing_programs() {
	printf '%s' "$CHECK" | "$PYTHON" -I -c '
import json, sys
found = {each["check"]: each["details"] for each in json.load(sys.stdin)["results"]}
present = [name for name in ("podman", "docker") if name in found["engines"].get("engines", [])]
wanted = sys.argv[1].split(",") if sys.argv[1] else present or ["podman"]
programs = {"docker": "dockerd", "podman": "podman"}  # the others come with Kubernetes
missing = [programs[name] for name in wanted if name in programs and name not in present]
if not found["backend"].get("fits"):
    missing.append("runc" if found["cgroup"].get("mode") == "hybrid" else "crun")
print(*missing, *([] if sys.argv[2] else found["compilers"].get("missing", [])))
' "$ENGINES" "$OFFLINE"
}

# Tell whether the host is already as the playbook would make it.
is_done() {
	STEP="comparing the host with the release"
	_foreseen=$(tree_python kontain_command install "$BUNDLE" --sha256 "$SUM" ${DOWNGRADE:+--downgrade} \
		${ENGINES:+--engines "$ENGINES"} --dry-run --json 2>"$WORK/said")
	case $? in
	0) ;;
	5) refuse_bundle ;;
	*) return 1 ;;
	esac
	[ -z "$(missing_programs)" ] || return 1
	case $_foreseen in *'"changed": false'*) ;; *) return 1 ;; esac
	RUN='{"changed": false, "changes": [], "failures": []}'
	say "nothing changed"
}

# What the library said of the bundle, as this script says it.
refuse_bundle() {
	_problem=$(sed -n 's/^kontain: \(.*\)\.$/\1/p' "$WORK/said") _fix=$(sed -n 's/^To fix: \(.*\)\.$/\1/p' "$WORK/said")
	die 5 "$_problem" "$_fix"
}

# From here on the host is changed: one run at a time, logged, and an interruption is explained.
start_work() {
	# shellcheck disable=SC2015 # any of the three may fail
	mkdir -p "$LOG_DIR" && chmod 0700 "$LOG_DIR" && (umask 077 && : >>"$LOG_DIR/install.log") ||
		die 1 "cannot write the log below $LOG_DIR" "see whether the disk is full or read-only"
	exec 9>>"$LOCK" || die 1 "cannot write $LOCK" "see whether /run is full or read-only"
	flock -n 9 || die 1 "another install.sh is at work" "wait until it has ended, then run this again"
	LOG=$LOG_DIR/install.log
	printf '\n%s install.sh %s %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$VERSION" "$ACTION" >>"$LOG"
	trap interrupted INT TERM HUP
	trap 'rm -rf "$WORK"' EXIT
	WORK=$(mktemp -d) || die 1 "cannot make a temporary folder" "see whether the disk is full"
}

interrupted() {
	trap '' INT TERM HUP
	die 130 "interrupted while $STEP" \
		"run this again, it continues from there; or undo what was done with --uninstall"
}

# Set up the private Ansible, or return 1 where none can be had. It is good when its stamp names this
# Python and these packages.
get_ansible() {
	_packages=$TREE/tools/release/ansible-requirements.txt
	[ -f "$_packages" ] || _packages=$TREE/release/share/ansible-requirements.txt
	_stamp="$(readlink -f "$PYTHON") $(sha256sum <"$_packages")"
	[ "$(cat "$ANSIBLE/stamp" 2>/dev/null)" != "$_stamp" ] || [ ! -x "$ANSIBLE/bin/ansible-galaxy" ] ||
		return 0
	STEP="fetching Ansible"
	ensure mkdir -p "$STATE" && rm -rf "$ANSIBLE"
	fetch_ansible || use_distribution_ansible || return 1
	printf '%s\n' "$_stamp" >"$ANSIBLE/stamp"
}

fetch_ansible() {
	[ -z "$OFFLINE" ] || return 1
	say "fetching a private Ansible into $ANSIBLE"
	"$PYTHON" -c 'import ensurepip, venv' 2>/dev/null || add_packages venv
	logged "$PYTHON" -m venv "$ANSIBLE" &&
		logged "$ANSIBLE/bin/python" -m pip install --no-input --no-cache-dir --only-binary :all: \
			--require-hashes -r "$_packages" && return
	rm -rf "$ANSIBLE"
	return 1
}

use_distribution_ansible() {
	if ! command -v ansible-playbook >/dev/null; then
		[ -z "$OFFLINE" ] || return 1
		[ "$MANAGER" != apt-get ] || is_new_enough "$(apt-cache policy ansible-core |
			sed -n 's/^ *Candidate: *//p')" || return 1
		say "the Python package index gives none: taking the distribution's ansible-core"
		install_packages "$(package_of ansible-playbook)" || return 1
	fi
	is_new_enough "$(ansible-playbook --version | sed -n '1s/.*core \([0-9.]*\).*/\1/p')" || return 1
	ensure mkdir -p "$ANSIBLE/bin"
	for _program in ansible-playbook ansible-galaxy; do
		ensure ln -sf "$(command -v $_program)" "$ANSIBLE/bin/$_program"
	done
}

# 2.14, Debian 12's, skips the tasks of a role that a role depends on whose own turn does not come.
is_new_enough() {
	case $1 in [0-9]*) ;; *) return 1 ;; esac
	[ "$(printf '%s\n' "$OLDEST_ANSIBLE" "$1" | sort -V | head -n 1)" = "$OLDEST_ANSIBLE" ]
}

# Set BUNDLE to the file of the bundle to install, and SUM to its SHA-256, by which all that follows
# knows it again.
get_bundle() {
	STEP="preparing the bundle"
	if [ "$OFFLINE" ] && [ ! -f "$OFFLINE/release/VERSION" ]; then
		die 5 "$OFFLINE is no unpacked bundle: it has no release/VERSION" \
			"give the folder that kontain-VERSION-x86_64.tar.gz unpacks to"
	elif [ "$OFFLINE" ] && [ "$OFFLINE" != "$TREE" ] && [ ! "$UNSIGNED" ]; then
		die 5 "cannot trust $OFFLINE: a folder carries no signature" \
			"give the file that it was unpacked from, run the install.sh in it, or give --unsigned"
	elif [ "$OFFLINE" ]; then
		pack_bundle "$OFFLINE"
	elif [ -f "$TREE/release/VERSION" ]; then
		pack_bundle "$TREE"
	else
		build_bundle
	fi
}

pack_bundle() {
	_name=kontain-$(cat "$1/release/VERSION")
	BUNDLE=$WORK/$_name-x86_64.tar.gz
	# shellcheck disable=SC2015 # either may fail
	ln -s "$1" "$WORK/$_name" && logged tar -C "$WORK" -chzf "$BUNDLE" "$_name/release" ||
		die 1 "cannot pack the release in $1" "see $LOG"
	SUM=$(sha256sum <"$BUNDLE")
	SUM=${SUM%% *}
}

# It is the checkout's owner who builds, so that root leaves no files that they cannot remove.
build_bundle() {
	BUNDLE=$TREE/build/kontain-$VERSION-x86_64.tar.gz
	_missing=
	for _program in make gcc musl-gcc; do
		command -v $_program >/dev/null || _missing="$_missing $_program"
	done
	has_kernel_headers || _missing="$_missing gcc"
	# shellcheck disable=SC2086 # a list of words
	[ -z "$_missing" ] || add_packages $_missing
	STEP="building $BUNDLE"
	[ -f "$BUNDLE" ] || say "building the bundle"
	logged as_owner_of "$TREE" make -C "$TREE" --no-print-directory bundle HAS_VENV= ||
		die 5 "the bundle could not be built" "see $LOG; \`make -C $TREE bundle\` shows it too"
	SUM=$(built_sum)
	check_host quietly # by the km that was not there before
}

# gcc alone brings no headers where a package manager installs no recommended packages.
has_kernel_headers() { ! command -v gcc >/dev/null || echo '#include <linux/kvm.h>' | gcc -E - >/dev/null 2>&1; }

# Print the sum of the bundle that the checkout's last build noted.
built_sum() { cut -d ' ' -f 1 "$TREE/build/bundle.sha256" 2>/dev/null; }

as_owner_of() {
	_owner=$(stat -c %u "$1") _group=$(stat -c %g "$1")
	shift
	if [ "$_owner" -eq 0 ]; then
		"$@"
	else
		setpriv --reuid="$_owner" --regid="$_group" --clear-groups "$@"
	fi
}

# A checkout is the collection; a bundle has the collection's tarball in it.
get_collection() {
	STEP="preparing the collection"
	_place=$COLLECTIONS/ansible_collections/kontain/platform
	ensure mkdir -p "${_place%/*}"
	if [ -f "$TREE/galaxy.yml" ]; then
		[ "$(readlink "$_place")" = "$TREE" ] || { rm -rf "$_place" && ensure ln -s "$TREE" "$_place"; }
		return
	fi
	_tarball=$TREE/kontain-platform-$VERSION.tar.gz
	[ -f "$_tarball" ] || die 5 "this bundle was made without the collection: there is no $_tarball" \
		"take a released bundle, or make one with 'make venv bundle'"
	_sum=$(sha256sum <"$_tarball")
	[ "$(cat "$_place/.sum" 2>/dev/null)" != "$_sum" ] || return 0
	rm -rf "$_place"
	logged ansible ansible-galaxy collection install --offline --no-deps -p "$COLLECTIONS" "$_tarball" ||
		die 1 "the collection could not be installed" "see $LOG"
	printf '%s\n' "$_sum" >"$_place/.sum"
}

# Run a program of the private Ansible, without the caller's settings.
ansible() {
	_program=$1
	shift
	: >"$WORK/ansible.cfg"
	env LC_ALL=C.UTF-8 ANSIBLE_CONFIG="$WORK/ansible.cfg" ${LOG:+ANSIBLE_LOG_PATH="$LOG"} \
		ANSIBLE_HOME="$WORK/ansible" ANSIBLE_REMOTE_TEMP="$WORK/remote" \
		ANSIBLE_COLLECTIONS_PATH="$COLLECTIONS" ANSIBLE_PIPELINING=true \
		ANSIBLE_COLLECTIONS_ON_ANSIBLE_VERSION_MISMATCH=ignore \
		ANSIBLE_LOCALHOST_WARNING=false ANSIBLE_INVENTORY_UNPARSED_WARNING=false \
		ANSIBLE_STDOUT_CALLBACK=kontain.platform.progress KONTAIN_PROGRESS_FILE="$WORK/run.json" \
		"$ANSIBLE/bin/$_program" "$@"
}

run_playbook() {
	STEP="changing the host"
	_downgrade=${DOWNGRADE:+true}
	ansible ansible-playbook kontain.platform.install \
		-e "{\"kontain_bundle\": $(quote "$BUNDLE"), \"kontain_bundle_sha256\": \"$SUM\", \
\"kontain_downgrade\": ${_downgrade:-false}, \"kontain_engines\": [$ENGINES]}" "$@" </dev/null 9>&-
	_status=$?
	RUN=$(cat "$WORK/run.json" 2>/dev/null)
	[ "$_status" -eq 0 ] || die 1 "the installation stopped at the step above" \
		"do what it says, then run this again: it continues; the log is $LOG"
}

# The playbook's modules call the same library; this brings the rest.
install_without_ansible() {
	say "there is no Ansible to be had: installing without it"
	_missing=$(missing_programs)
	# shellcheck disable=SC2086 # a list of words
	[ -z "$_missing" ] || add_packages $_missing
	STEP="changing the host"
	set -- install "$BUNDLE" --sha256 "$SUM" ${DOWNGRADE:+--downgrade} ${ENGINES:+--engines "$ENGINES"}
	if [ "$JSON" ]; then
		RUN=$(tree_python kontain_command "$@" --json)
	else
		tree_python kontain_command "$@"
	fi || die 1 "the installation stopped at the step above" "do what it says, then run this again"
}

prove() {
	STEP="proving that programs run in a VM"
	if [ "$JSON" ]; then
		PROOF=$($PREFIX/bin/kontain verify --json 9>&-)
	else
		$PREFIX/bin/kontain verify 9>&-
	fi || give_up
}

# The proof failed: keep what a report of it needs, and let the host be what it was before this run.
give_up() {
	STEP="going back"
	_proof=$($PREFIX/bin/kontain verify --json 9>&-)
	_words=$(printf '%s' "$_proof" | first_failure)
	_report=$LOG_DIR/failed-proof.tar.gz
	rm -f "$_report"
	logged "$PREFIX/bin/kontain" support -o "$_report"
	_fix="report it with $_report; --keep leaves the installation there to look into"
	[ ! "$KEEP" ] || die 8 "Kontain is installed, but the proof failed: $_words" "report it with $_report"
	[ "$LAST_CHANGE" != "$(last_change)" ] ||
		die 8 "the proof failed: $_words; this run has changed nothing" "$_fix"
	logged tree_python kontain_command uninstall --after "$LAST_CHANGE" --yes ||
		die 8 "the proof failed: $_words; and the host could not be taken back" "see $LOG, and use --uninstall"
	[ "$HAD_ANSIBLE" ] || rm -rf "$ANSIBLE"
	rmdir "$STATE" 2>/dev/null
	die 8 "the proof failed: $_words; the host is back at ${RELEASE_BEFORE:-what it was without Kontain}" "$_fix"
}

# Print what the first failed check of a report on standard input found, and why.
first_failure() {
	"$PYTHON" -I -c '
import json, sys
failed = [each for each in json.load(sys.stdin)["results"] if each["status"] == "fail"]
print(": ".join(filter(None, (failed[0]["check"], failed[0]["found"], failed[0]["cause"]))) if failed
      else "it gave no result")' 2>/dev/null || echo "it gave no result"
}

# Print the number of the last change that the journal has.
last_change() {
	tree_python kontain_command info --json 2>/dev/null | sed -n 's/^ *"last_change": \([0-9]*\).*/\1/p'
}

# Note what this run finds, to be able to go back to it.
note_before() {
	LAST_CHANGE=$(last_change)
	RELEASE_BEFORE=$(cat $PREFIX/current/VERSION 2>/dev/null)
	HAD_ANSIBLE=''
	[ ! -d "$ANSIBLE" ] || HAD_ANSIBLE=yes
}

goodbye() {
	say "" "Kontain $VERSION is installed. Read on in $DOCS, or: man 7 kontain"
	print_json 0 null
}

# ---- the three things that this script can do

install() {
	get_python
	if [ -f "$OFFLINE" ] || [ -z "$TREE" ] || [ "$RELEASE$FROM" ]; then
		hand_over
	fi
	check_host
	if [ "$DRY_RUN" ]; then
		dry_run
		return
	fi
	start_work
	note_before
	get_bundle
	if ! is_done; then
		if get_ansible; then
			get_collection
			run_playbook
		else
			install_without_ansible
		fi
	fi
	prove
	goodbye
}

# Where a run before has left an Ansible, it says what would change; else the library does, and
# where there is no bundle yet, this.
dry_run() {
	BUNDLE=$TREE/build/kontain-$VERSION-x86_64.tar.gz
	WORK=$(mktemp -d)
	trap 'rm -rf "$WORK"' EXIT
	SUM=$(built_sum)
	[ ! -f "$TREE/release/VERSION" ] || pack_bundle "$TREE"
	[ "$SUM" ] || BUNDLE=
	if [ -f "$BUNDLE" ] && [ -f "$ANSIBLE/stamp" ] && [ -d "$COLLECTIONS" ]; then
		run_playbook --check --diff
	elif [ -f "$BUNDLE" ]; then
		_missing=$(missing_programs)
		[ -z "$_missing" ] || say "would install the packages of: $_missing"
		RUN=$(tree_python kontain_command install "$BUNDLE" --sha256 "$SUM" ${DOWNGRADE:+--downgrade} \
			${ENGINES:+--engines "$ENGINES"} --dry-run ${JSON:+--json}) ||
			die $? "the host cannot be changed" "do what it says above"
		[ "$JSON" ] || say "$RUN"
	else
		say "" "would do, in this order:" \
			"  fetch a private Ansible into $ANSIBLE, with $(package_of venv) where it is missing" \
			"  build the bundle, where this is a checkout, with make, gcc and $(package_of musl-gcc)" \
			"  install the release below $PREFIX and its configuration below /etc/kontain" \
			"  install crun, gcc and $(package_of musl-gcc), and podman where there is no engine" \
			"  register the runtime kontain with ${ENGINES:-each engine}" \
			"  run a payload with km, with krun, and with each engine"
	fi
	say "nothing was changed"
	print_json 0 null
}

uninstall() {
	PYTHON=$(command -v python3) || die 1 "python3 is missing" "install python3, then run this again"
	if [ ! "$TREE" ] && [ ! -d "$LIBRARY" ]; then
		say "Kontain is not installed"
		print_json 0 null
		return
	fi
	if [ "$DRY_RUN" ]; then
		tree_python kontain_command uninstall --dry-run
		return
	fi
	[ ! -t 0 ] || [ "$YES" ] || ask
	start_work
	STEP="undoing the changes"
	if [ "$JSON" ]; then
		RUN=$(tree_python kontain_command uninstall --yes --json)
	else
		tree_python kontain_command uninstall --yes
	fi || die 1 "Kontain could not be removed" "do what it says above, then run this again"
	STEP="removing the private Ansible"
	rm -rf "$ANSIBLE"
	rmdir "$STATE" 2>/dev/null
	say "Kontain is removed. Distribution packages stay, and so does the log $LOG"
	print_json 0 null
}

ask() {
	printf 'Remove Kontain from this host? [y/N] ' >&2
	read -r _answer
	case $_answer in
	y* | Y*) ;;
	*) die 130 "nothing was removed: the answer was '$_answer'" "answer y, or give --yes" ;;
	esac
}

# Everything runs from here, called on the last line: a script that was cut off does nothing.
main() {
	PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
	PREFIX=/opt/kontain STATE=/var/lib/kontain LOG_DIR=/var/log/kontain LOCK=/run/kontain-install.lock
	ANSIBLE=$STATE/ansible COLLECTIONS=$STATE/ansible/collections
	DOCS=https://github.com/kontainapp/platform/tree/main/docs
	ACTION=install STEP=starting LOG='' WORK='' VERSION='' CHECK='' RUN='' PROOF=''
	ENGINES='' OFFLINE='' RELEASE='' FROM='' DRY_RUN='' YES='' JSON=''
	DOWNGRADE='' UNSIGNED='' KEY='' KEEP='' SUM=''
	SCRIPT=''
	case $- in
	*s*) ;; # read from a pipe: $0 is the shell's name, and a file of that name may be anybody's
	*) ! grep -qs '^# install.sh: install Kontain' "$0" || SCRIPT=$(readlink -f -- "$0") ;;
	esac
	exec 3>&1
	case " $* " in *' --json '*) JSON=yes && exec 1>&2 ;; esac
	parse_arguments "$@"
	cd /
	umask 022
	# No bytecode: neither the distribution's folders nor the checkout are ours to write to.
	# shellcheck disable=SC2046 # names
	unset $(env | sed -n 's/^\(\(ANSIBLE\|PYTHON\)[A-Z0-9_]*\)=.*/\1/p')
	export PYTHONDONTWRITEBYTECODE=1
	case $ACTION in
	help) usage ;;
	version) find_tree && say "$VERSION" ;;
	*) require_root && find_tree && find_package_manager && "$ACTION" ;;
	esac
}

{ main "$@"; }
