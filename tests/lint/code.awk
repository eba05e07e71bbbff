# Print C files as file:line: code, without comments and with strings and characters emptied.  With slashes=1 print
# only the lines that hold a comment of the other kind, the one to the end of the line.
FNR == 1 { inside = "" }
{
    out = ""; slashed = 0; n = length($0)
    for (i = 1; i <= n; i++) {
        c = substr($0, i, 1)
        if (inside == "comment") {
            if (c == "*" && substr($0, i + 1, 1) == "/") { inside = ""; i++; out = out " " }
        } else if (inside != "") {
            if (c == "\\") i++
            else if (c == inside) { inside = ""; out = out c }
        } else if (c == "/" && substr($0, i + 1, 1) == "*") {
            inside = "comment"; i++
        } else if (c == "/" && substr($0, i + 1, 1) == "/") {
            slashed = 1
            break
        } else {
            # A quote between digits is no character (1'000 does not exist in C17), so every quote opens one.
            if (c == "\"" || c == "'") inside = c
            out = out c
        }
    }
    if (inside != "comment" && inside != "" && substr($0, n, 1) != "\\") inside = ""
    if (slashes) { if (slashed) print FILENAME ":" FNR ": " $0 }
    else if (out ~ /[^ \t]/) print FILENAME ":" FNR ": " out
}
