# From what `hoist-fcgi --help` says of the settings: a subsection for each section, an entry for each setting, with its default,
# what is allowed and its name in the environment.  Together with mdoc.awk.
function variable(key,    name) {
    name = "HOIST_" section "_" key
    gsub(/[ -]/, "_", name)
    return toupper(name)
}

function end_list() { if (listed) print ".El"; listed = 0 }

/^;?\[/ {
    end_list()
    title = $0; gsub(/^;/, "", title)
    section = title; gsub(/[][]/, "", section)
    # The default one is there unconfigured; the names of its variables hold for all.
    if (section ~ / default$/) { sub(/ default$/, " NAME", section); title = "[" section "]" }
    print ".Ss " argument(escaped(title) "\\&") # no end of a sentence
    if (help != "") print_filled(escaped(help))
    help = ""
    next
}
section == "" { next }
/^# Allowed: / { allowed = substr($0, 12); sub(/\.$/, "", allowed); next }
/^#/ { help = help " " substr($0, 3); next }
/^;[a-z0-9_]+ =/ {
    if (!listed) print ".Bl -tag -width Ds"
    listed = 1
    key = $1; sub(/^;/, "", key)
    value = substr($0, length($1) + 4)
    print ".It Ic " escaped(key) (value == "" ? "" : " No = " argument(escaped(value)))
    print_filled(escaped(help))
    if (allowed != "") print_filled("Allowed: " escaped(allowed) ".")
    print ".Pq Ev " variable(key)
    help = allowed = ""
}
END { end_list(); if (section == "") exit 1 }
