# From the Markdown that deploy/redis-cli.md uses (headlines, paragraphs, lists, tables, `code`, blocks) to mdoc, from the headline
# `from` on, which is left out itself.  Together with mdoc.awk.

# `code` is bold; pairs of backquotes never go over a line.
function inline(text,    out, i, count, part) {
    count = split(text, part, "`")
    for (i = 1; i <= count; i++)
        out = out (i % 2 ? escaped(part[i]) : part[i] == "" ? "" : "\\fB" escaped(part[i]) "\\fP")
    return out
}

function end_paragraph() {
    if (paragraph != "") {
        if (!after_title && !in_list) print ".Pp"
        print_filled(inline(paragraph))
        after_title = 0
    }
    paragraph = ""
}
function end_list() { end_paragraph(); if (in_list) print ".El"; in_list = 0 }
function begin_list(kind) { if (!in_list) print ".Bl " kind; in_list = 1; after_title = 0 }

# | `key` | HASH | what it is |
function table_row(line,    cell, count, i) {
    gsub(/^\| *| *\|$/, "", line)
    count = split(line, cell, / *\| */)
    begin_list("-tag -width Ds")
    print ".It " argument(inline(cell[1])) (count > 2 ? " Pq " cell[2] : "")
    for (i = count > 2 ? 3 : 2; i <= count; i++) print_filled(inline(cell[i]))
}

!on { if ($0 == from) on = found = after_title = 1; next }
/^```/ {
    end_list()
    literal = !literal
    print literal ? ".Bd -literal -offset 2n" : ".Ed"
    after_title = 0
    next
}
literal { print text_line(escaped($0)); next }
/^#/ {
    end_list()
    title = $0; sub(/^#+ ([0-9]+\. )?/, "", title)
    if (/^## /) print ".Sh " argument(toupper(escaped(title)))
    else print ".Ss " argument(escaped(title))
    after_title = 1
    next
}
/^\|[ -]*---/ { header = 0; next }
/^\|/ {
    # The header is the row before the dashes.
    if (!in_table) { end_list(); in_table = 1; next }
    table_row($0)
    next
}
{ if (in_table) end_list(); in_table = 0 }
/^\* / { end_paragraph(); begin_list("-bullet -width 2n"); print ".It"; paragraph = substr($0, 3); next }
/^$/ { end_list(); next }
{ sub(/^ +/, ""); paragraph = paragraph (paragraph == "" ? "" : " ") $0 }
END { end_list(); if (!found) { print "markdown.awk: no headline " from > "/dev/stderr"; exit 1 } }
