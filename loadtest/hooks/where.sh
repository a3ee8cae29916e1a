# Read by the programs beside it: finds a process of the rehearsed machine.
#
# These are the units of Debian's packages and of lua-free-conf/systemd/. Where
# they have other names, or there is no systemd, say the process or a file that
# holds its number, in the environment or as lines of settings.sh beside this
# file:
#
#   REDIS_PID=4711    REDIS_PIDFILE=/run/redis.pid    REDIS_UNIT=redis
#   NGINX_...         WORKERS_...
#
# Whoever runs the rehearsal must be allowed to signal them: root.

set -eu
here=${0%/*}
if [ -e "$here/settings.sh" ]; then
    . "$here/settings.sh"
fi
: "${REDIS_UNIT:=redis-server}" "${NGINX_UNIT:=nginx}"
: "${WORKERS_UNIT:=leerpoort-worker}"

# Prints the number of the main process of $1: REDIS, NGINX, WORKERS.
main_process()
{
    eval "number=\${${1}_PID-} file=\${${1}_PIDFILE-} unit=\$${1}_UNIT"

    if [ -z "$number" ] && [ -n "$file" ]; then
        number=$(cat "$file")
    elif [ -z "$number" ]; then
        number=$(systemctl show --property MainPID --value "$unit")
    fi

    case $number in
    '' | 0 | *[!0-9]*)
        echo "${0##*/}: no process of ${file:-$unit}" >&2
        return 1
        ;;
    esac
    echo "$number"
}
