# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with the script that reads this
# The upload that deploy/up shows: through the web server, its job followed to the end, the object compared.
# Needs common.sh; $url, $curl_to, $state.

# json_text NAME FILE: the first member of this name, a string without escapes.
json_text() { grep -o "\"$1\": *\"[^\"\\\\]*\"" "$2" | sed -n '1s/.*"\(.*\)"$/\1/p'; }

# sample_changes: show each state that is new; 0 when the job has ended.
sample_changes() {
    local seen
    curl -s -m 10 "${curl_to[@]}" "$url/v1/jobs/$sample_id" -o "$state/run/sample.json" || return 1
    seen=$(json_text state "$state/run/sample.json")
    if [ -n "$seen" ] && [ "$seen" != "$sample_state" ]; then
        now_ms
        printf '  %6d ms  %s\n' $((now - sample_start)) "$seen"
        sample_state=$seen
    fi
    case $sample_state in done | dead | cancelled) return 0 ;; *) return 1 ;; esac
}

sample_upload() { # FILE
    local file=$1 now code
    say "uploading ${file##*/} ($(stat -c %s "$file") bytes)"
    now_ms
    sample_start=$now sample_state=''
    code=$(curl -s -m 60 -o "$state/run/sample.json" -w '%{http_code}' -F "file=@$file" "${curl_to[@]}" \
        "$url/v1/uploads") || code="$code, curl status $?"
    [ "$code" = 202 ] || die "the upload was answered $code: $(head -c 1000 "$state/run/sample.json" 2>/dev/null)"
    sample_id=$(json_text id "$state/run/sample.json")
    sample_state=$(json_text state "$state/run/sample.json")
    now_ms
    printf '  %6d ms  202, job %s, %s\n' $((now - sample_start)) "$sample_id" "$sample_state"
    if [ "$workers" = 0 ]; then
        say "  it waits: there is no worker"
        return 0
    fi
    wait_until 60 sample_changes || {
        show_log worker-1
        die "the job did not end within 60 s: $(head -c 1000 "$state/run/sample.json")"
    }
    [ "$sample_state" = "done" ] || die "the job ended as $sample_state: $(head -c 2000 "$state/run/sample.json")"
    sample_compare "$file"
}

# sample_compare FILE: what arrived is what was sent.
sample_compare() {
    local object key
    key=$(json_text key "$state/run/sample.json")
    case $destination_url in
    file://*)
        object=${destination_url#file://}
        object=${object%/}/$key
        [ "$(sha256sum <"$object")" = "$(sha256sum <"$1")" ] || die "$object is not what was sent"
        say "  $object has the same SHA-256"
        ;;
    *) say "  it is $destination_url, key $key" ;;
    esac
}
