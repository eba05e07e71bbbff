# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with the script that reads this
# The private web server of a trial: a few lines of server around the very files that are meant to be included in one's
# own (deploy/nginx/hoist.conf and so on), with the socket's path put in.  Needs common.sh; $area, $bodies, $fcgi_socket, $web.

# listen_parse TEXT: set $listen_path, or $listen_host and $listen_port (0: any).
listen_parse() {
    listen_path='' listen_host='' listen_port=''
    case $1 in
    unix:/*) listen_path=${1#unix:} ;;
    *)
        [[ $1 =~ ^([0-9.]+|\[[0-9a-fA-F:]+\]|localhost):([0-9]{1,5})$ ]] ||
            die "HOIST_LISTEN: '$1' is neither address:port ([::1]:8080, port 0 for any) nor unix:/path"
        listen_host=${BASH_REMATCH[1]} listen_port=$((10#${BASH_REMATCH[2]}))
        [ "$listen_host" != localhost ] || listen_host=127.0.0.1
        [ "$listen_port" -le 65535 ] || die "HOIST_LISTEN: port $listen_port is over 65535"
        ;;
    esac
    if [ -n "$listen_path" ]; then
        case $web in apache | caddy | haproxy) die "HOIST_LISTEN: $web does not listen on a unix socket here; nginx and lighttpd do" ;; esac
        [ ${#listen_path} -le 107 ] || die "HOIST_LISTEN: a socket's path has at most 107 bytes"
        [[ ! $listen_path =~ [[:space:]\"\'\\\$\;\{\}] ]] || die "HOIST_LISTEN: unusual characters in '$listen_path'"
    fi
}

# What clients use: $url and, for a unix socket, the words that curl needs before it in $curl_to.
listen_url() {
    local host=$listen_host
    curl_to=()
    case $host in
    '') url=http://localhost curl_to=(--unix-socket "$listen_path") ;;
    0.0.0.0) url=http://127.0.0.1:$listen_port ;;
    '[::]') url="http://[::1]:$listen_port" ;;
    *) url=http://$host:$listen_port ;;
    esac
}

# A port that nothing uses, chosen by the kernel.
free_port() {
    perl -MSocket -e 'my $v6 = $ARGV[0] =~ s/^\[(.*)\]$/$1/;
        socket(my $s, $v6 ? PF_INET6 : PF_INET, SOCK_STREAM, 0) or die "socket: $!\n";
        my $ip = Socket::inet_pton($v6 ? AF_INET6 : AF_INET, $ARGV[0]) or die "$ARGV[0]: not an address\n";
        bind($s, $v6 ? Socket::pack_sockaddr_in6(0, $ip) : pack_sockaddr_in(0, $ip)) or die "$ARGV[0]: $!\n";
        my $name = getsockname($s);
        print +($v6 ? Socket::unpack_sockaddr_in6($name) : unpack_sockaddr_in($name))[0], "\n"' "$listen_host"
}

# Whether the process PID itself listens: another server on the same port is not taken for ours.
web_listens() { # PID
    local inodes fd
    if [ -n "$listen_path" ]; then
        inodes=$(awk -v path="$listen_path" '$8 == path && $4 == "00010000" { print $7 }' /proc/net/unix)
    else
        inodes=$(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk -v port="$(printf ':%04X' "$listen_port")" \
            '$4 == "0A" && substr($2, length($2) - 4) == port { print $10 }')
    fi
    for fd in /proc/"$1"/fd/*; do
        fd=$(readlink "$fd") || continue
        case " ${inodes//$'\n'/ } " in *" ${fd//[!0-9]/} "*) [[ $fd != socket:* ]] || return 0 ;; esac
    done
    return 1
}

# with_socket FILE: its text with the paths of this system: its socket, its bodies.
with_socket() {
    sed -e "s|/run/hoist/fcgi\\.sock|$fcgi_socket|g" -e "s|/var/spool/hoist/bodies;|$bodies;|g" "$root/deploy/$1"
}

# The page of deploy/example, where the web server's unprivileged processes can read it.
example_make() {
    mkdir -p "$area/www/example"
    install -m 0644 "$root/deploy/example/index.html" "$area/www/example/"
    chmod 0755 "$area/www" "$area/www/example"
}

web_write_nginx() {
    local tmp=$area/tmp user='' address=$listen_host:$listen_port
    [ -z "$listen_path" ] || address=unix:$listen_path
    [ "$(id -u)" != 0 ] || user='user www-data;'
    {
        printf '%s\n' "$user" 'daemon off;' 'worker_processes auto;' 'worker_rlimit_nofile 8192;' \
            "pid $state/run/web/nginx.pid;" 'error_log stderr warn;' \
            'events { worker_connections 2048; }' 'http {' \
            "log_format hoist '\$remote_addr [\$time_iso8601] \"\$request\" \$status \$body_bytes_sent \$request_time';" \
            "access_log $state/log/access.log hoist;" 'default_type application/octet-stream;' 'server_tokens off;' \
            'keepalive_timeout 65s;' 'keepalive_requests 10000;' 'large_client_header_buffers 4 16k;' \
            "client_body_temp_path $tmp;" "fastcgi_temp_path $tmp;" "proxy_temp_path $tmp;" \
            "uwsgi_temp_path $tmp;" "scgi_temp_path $tmp;"
        with_socket nginx/hoist-upstream.conf
        printf '%s\n' 'server {' "listen $address;" 'server_name hoist;' \
            "location /example/ { root $area/www; types { text/html html; } charset utf-8; }"
        with_socket nginx/hoist.conf
        [ -z "$bodies" ] || with_socket nginx/hoist-bodies.conf
        printf '}\n}\n'
    } >"$state/run/web/nginx.conf"
    web_command=(nginx -e stderr -p "$state/run/web" -c "$state/run/web/nginx.conf")
}

web_write_apache() {
    local module modules=/usr/lib/apache2/modules
    {
        printf '%s\n' "ServerRoot \"$state/run/web\"" "DefaultRuntimeDir \"$area/tmp\"" "Mutex file:$area/tmp default" \
            "PidFile \"$state/run/web/apache.pid\"" "ErrorLog \"$state/log/web.log\"" 'LogLevel warn' 'ServerName hoist' \
            'ServerTokens Prod' 'ServerSignature Off'
        for module in mpm_event authz_core env setenvif headers unique_id alias dir proxy proxy_fcgi; do
            printf 'LoadModule %s_module %s/mod_%s.so\n' "$module" "$modules" "$module"
        done
        [ "$(id -u)" != 0 ] || printf '%s\n' 'User www-data' 'Group www-data'
        printf '%s\n' "Listen $listen_host:$listen_port" 'ServerLimit 8' 'ThreadsPerChild 64' \
            'MaxRequestWorkers 512' 'StartServers 2' 'KeepAlive On' 'MaxKeepAliveRequests 0' 'KeepAliveTimeout 65' \
            'Timeout 75' 'LogFormat "%h [%{%FT%T%z}t] \"%r\" %>s %B %D" hoist' \
            "CustomLog \"$state/log/access.log\" hoist" \
            "DocumentRoot \"$area/empty\"" "Alias \"/example/\" \"$area/www/example/\"" 'ProxyPass "/example/" "!"' \
            "<Directory \"$area/www/example\">" 'Require all granted' 'ForceType "text/html; charset=utf-8"' '</Directory>'
        with_socket apache/hoist.conf
    } >"$state/run/web/apache.conf"
    web_command=(apache2 -f "$state/run/web/apache.conf" -D FOREGROUND)
}

web_write_lighttpd() {
    local access=()
    # It opens its logs as the unprivileged user, who cannot see the state of root; errors go to the open stderr.
    [ "$(id -u)" = 0 ] || access=('server.modules += ( "mod_accesslog" )' "accesslog.filename = \"$state/log/access.log\"")
    {
        printf '%s\n' 'server.modules = ( )' "server.document-root = \"$area/empty\"" \
            "${access[@]}" \
            "server.upload-dirs = ( \"$area/tmp\" )" "server.pid-file = \"$state/run/web/lighttpd.pid\"" \
            'server.tag = "lighttpd"' 'server.max-fds = 8192' 'server.max-connections = 2048' \
            'server.max-keep-alive-requests = 10000' 'server.max-keep-alive-idle = 65'
        if [ -n "$listen_path" ]; then
            printf 'server.bind = "%s"\n' "$listen_path"
        else
            printf 'server.bind = "%s"\nserver.port = %s\n' "$listen_host" "$listen_port"
        fi
        [ "$(id -u)" != 0 ] || printf '%s\n' 'server.username = "www-data"' 'server.groupname = "www-data"'
        with_socket lighttpd/hoist.conf
        printf '%s\n' "\$HTTP[\"url\"] =~ \"^/example/\" {" 'fastcgi.server = ( )' "server.document-root = \"$area/www\"" \
            'index-file.names = ( "index.html" )' 'mimetype.assign = ( ".html" => "text/html; charset=utf-8" )' '}'
    } >"$state/run/web/lighttpd.conf"
    web_command=(lighttpd -D -f "$state/run/web/lighttpd.conf")
}

web_write_caddy() {
    local host=${listen_host#[}
    {
        printf '%s\n' '{' 'admin off' 'auto_https off' "default_bind ${host%]}" 'grace_period 5s' '}'
        with_socket caddy/Caddyfile |
            sed "s|^:8080 {|:$listen_port {\nhandle_path /example/* {\nroot * $area/www/example\nfile_server\n}|"
    } >"$area/tmp/Caddyfile"
    web_command=(env "HOME=$area/tmp" "XDG_CONFIG_HOME=$area/tmp" "XDG_DATA_HOME=$area/tmp"
        caddy run --adapter caddyfile --config "$area/tmp/Caddyfile")
    # It has no setting for that, and so listens as the unprivileged user, too: no port below 1024.
    [ "$(id -u)" != 0 ] || web_command=(setpriv --reuid=www-data --regid=www-data --clear-groups "${web_command[@]}")
}

web_write_haproxy() {
    local page
    {
        printf '%s\n' global 'maxconn 2048' 'log stdout format raw local0'
        [ "$(id -u)" != 0 ] || printf '%s\n' 'user www-data' 'group www-data'
        printf '%s\n' '' defaults 'log global' 'option httplog' ''
        page="http-request return status 200 content-type text/html file $area/www/example/index.html if { path /example/ }"
        with_socket haproxy/haproxy.cfg | sed "s|bind :8080|bind $listen_host:$listen_port\n    $page|"
    } >"$state/run/web/haproxy.cfg"
    web_command=(haproxy -db -f "$state/run/web/haproxy.cfg")
}

# web_start: start it; 1: it died (a clash of ports, said in its log).
web_start() {
    local tries=1 log_size pid
    [ "$listen_any" = no ] || tries=10
    while :; do
        if [ "$listen_port" = 0 ]; then listen_port=$(free_port); fi
        if [ -S "$listen_path" ]; then
            # What a server that was killed left behind is in the way of the next one; a living one is not touched.
            if curl -s -o /dev/null -m 5 --unix-socket "$listen_path" http://localhost/; [ $? != 7 ]; then
                die "HOIST_LISTEN: another server answers on $listen_path"
            fi
            rm -f "$listen_path"
        fi
        mkdir -p "$state/run/web"
        example_make
        rm -f "$state"/run/web/*.pid # Apache does not look whether the process in it is an Apache
        log_size=$(stat -c %s "$state/log/web.log" 2>/dev/null) || log_size=0
        "web_write_$web"
        daemon_start web "${web_command[@]}"
        # shellcheck disable=SC2154 # set by daemon_start
        if daemon_await web 15 'it listens' web_listens "$pid"; then return 0; fi
        daemon_stop web 5 >&2
        tries=$((tries - 1))
        # Somebody else was faster with this port; any other failure would come again.
        [ "$tries" -gt 0 ] && tail -c "+$((log_size + 1))" "$state/log/web.log" | grep -qi 'in use' || return 1
        listen_port=0
    done
}
