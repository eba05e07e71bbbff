# Plain text as mdoc(7) wants it: what both generators of a page use.

# Characters that mean something to the formatter.
function escaped(text) {
    gsub(/\\/, "\\e", text)
    gsub(/-/, "\\-", text)
    gsub(/'/, "\\(aq", text)
    gsub(/`/, "\\(ga", text)
    gsub(/…/, "...", text)
    return text
}

# A line of text: one that begins with a dot is no request.
function text_line(text) {
    return text ~ /^[.]/ ? "\\&" text : text
}

# One argument of a macro: quoted, so that no word of it is taken for another macro.
function argument(text) {
    gsub(/"/, "\"\"", text)
    return "\"" text "\""
}

# A paragraph, filled: a sentence begins a line, and no line is long.
function print_filled(text,    words, count, i, line) {
    count = split(text, words, /[ \t\n]+/)
    line = ""
    for (i = 1; i <= count; i++) {
        if (words[i] == "") continue
        if (line != "" && length(line) + length(words[i]) > 76) { print text_line(line); line = "" }
        line = line (line == "" ? "" : " ") words[i]
        if (words[i] ~ /[.?!][)"]?(\\fP)?[)]?$/) { print text_line(line); line = "" }
    }
    if (line != "") print text_line(line)
}
