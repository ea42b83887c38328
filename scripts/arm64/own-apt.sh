# An apt beside the system's, for scripts that unpack other Debians; sourced by count.sh and
# try-arm64.sh.

# The mirror that this system's own apt uses; MIRROR names another.
mirror=${MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' |
    grep -v security | head -n 1)}

# An apt of our own: its lists, cache and (empty) state of installed packages are in a folder.
# $1 folder, $2 architecture, $3 deb or deb-src, $4 suite
own_apt() {
    mkdir -p "$1/lists/partial" "$1/cache/archives/partial" "$1/etc"
    : >"$1/status"
    echo "$3 [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $4 main" \
        >"$1/etc/sources.list"
    cat >"$1/apt.conf" <<END
APT::Architecture "$2";
APT::Architectures { "$2"; };
APT::Install-Recommends "false";
APT::Sandbox::User "";
Dir::Etc::sourcelist "$1/etc/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State "$1";
Dir::State::lists "$1/lists";
Dir::State::status "$1/status";
Dir::Cache "$1/cache";
Debug::NoLocking "true";
END
    APT_CONFIG=$1/apt.conf apt-get update -qq
}
