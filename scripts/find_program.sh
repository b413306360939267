#!/bin/sh
# Print the path of a program that a test needs, such as `find_program.sh bwrap bubblewrap`: the program, and the name
# of its Debian package. Install the package if possible, otherwise print an instruction.
set -u
program="$1" package="$2"
PATH="$PATH:/usr/sbin:/sbin"
command -v "$program" && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  exec 9</var/lib/dpkg && flock 9 # tests run in several processes
  command -v "$program" && exit 0
  apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >&2
  command -v "$program" && exit 0
fi
echo "No $program found; install it (apt-get install $package)." >&2
exit 1
