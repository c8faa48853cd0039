#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# kubernetes.sh FOLDER: build a control plane and a kubelet from Debian's source package, into
# FOLDER/VERSION/bin, unless it is there already; print that folder. It takes some minutes and 4 GB once.
# Everything comes from the archive of the suite below: source, vendored modules, etcd, kubectl.
set -euo pipefail
SUITE=bookworm
SOURCE=kubernetes
MIRROR=${KONTAIN_DEBIAN_MIRROR:-http://deb.debian.org/debian}
PROGRAMS='kubelet kube-apiserver kube-controller-manager kube-scheduler kube-proxy'

mkdir -p "$1"
folder=$(realpath "$1")
exec 9>"$folder/lock"
flock 9

apt_here() {
	apt-get -qq -o Dir::Etc::sourcelist="$folder/sources.list" -o Dir::Etc::sourceparts=/dev/null \
		-o Dir::State::lists="$folder/apt/lists" -o Dir::Cache="$folder/apt" \
		-o Acquire::Check-Valid-Until=false -o APT::Sandbox::User=root "$@"
}

fetch() {
	mkdir -p "$folder/apt/lists/partial" "$folder/apt/archives/partial" "$folder/packages"
	printf '%s\n' "deb $MIRROR $SUITE main" "deb-src $MIRROR $SUITE main" >"$folder/sources.list"
	apt_here update
	cd "$folder/packages"
	apt_here source --download-only $SOURCE
	apt_here download etcd-server kubernetes-client golang-github-modern-go-reflect2-dev
}

unpack() {
	rm -rf "$GOPATH" "$folder/unpacked"
	mkdir -p "$tree"
	tar -xzf "$folder"/packages/kubernetes_*.orig.tar.gz --strip-components 1 -C "$tree"
	tar -xJf "$folder"/packages/kubernetes_*.debian.tar.xz -C "$tree"
	cd "$tree"
	grep -v '^#' debian/patches/series | while read -r name; do patch -p1 -s <"debian/patches/$name"; done
	for package in "$folder"/packages/*.deb; do dpkg-deb -x "$package" "$folder/unpacked"; done
	# The vendored reflect2 does not work with Go 1.18 and newer; Debian's package does.
	rm -rf vendor/github.com/modern-go/reflect2
	cp -r "$folder/unpacked/usr/share/gocode/src/github.com/modern-go/reflect2" vendor/github.com/modern-go/
}

# The API server wants a file that upstream's own build makes first.
make_openapi() {
	go build -p 1 -o "$folder/openapi-gen" k8s.io/kubernetes/vendor/k8s.io/kube-openapi/cmd/openapi-gen
	folders=$(grep -rl '+k8s:openapi-gen=true' staging/src pkg vendor --include='*.go' |
		grep -v -E '_examples|sample-|test|zz_generated' | xargs -n1 dirname |
		sed -e 's#^staging/src/#k8s.io/kubernetes/vendor/#' -e 's#^vendor/#k8s.io/kubernetes/vendor/#' \
			-e 's#^pkg/#k8s.io/kubernetes/pkg/#' | sort -u | paste -s -d,)
	"$folder/openapi-gen" -i "$folders" -p k8s.io/kubernetes/pkg/generated/openapi \
		-O zz_generated.openapi -h hack/boilerplate/boilerplate.generatego.txt -r /dev/null
}

build() {
	version=${1%%+*}
	number=v${1##*really}
	number=${number%%-*}
	flags='-s -w'
	for package in k8s.io/component-base/version k8s.io/kubernetes/vendor/k8s.io/component-base/version; do
		flags="$flags -X $package.gitVersion=$number -X $package.gitMajor=${version%%.*}"
		flags="$flags -X $package.gitMinor=$(cut -d. -f2 <<<"$version")"
	done
	for program in $PROGRAMS; do # without the tags, kubelet brings the SDKs of all clouds
		go build -p 1 -tags 'providerless dockerless' -ldflags "$flags" -o "$made.draft/$program" \
			"k8s.io/kubernetes/cmd/$program"
	done
	cp "$folder"/unpacked/usr/bin/{etcd,kubectl} "$made.draft"
}

have=$(find "$folder" -mindepth 2 -maxdepth 2 -name bin | sort | tail -n 1)
if [ -n "$have" ]; then
	echo "$have"
	exit
fi
{
	export GOCACHE="$folder/gocache" GOPATH="$folder/gopath" GO111MODULE=off CGO_ENABLED=0 GOFLAGS=
	tree=$GOPATH/src/k8s.io/kubernetes
	fetch
	unpack
	version=$(dpkg-parsechangelog -l "$tree/debian/changelog" -S Version)
	made=$folder/$version/bin
	rm -rf "$made.draft"
	mkdir -p "$made.draft"
	make_openapi
	build "$version"
	mv "$made.draft" "$made"
	rm -rf "$GOPATH" "$GOCACHE" "$folder/unpacked"
} >&2
echo "$made"
