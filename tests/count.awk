# Read the JUnit report of ctest and print how it went: a line for what failed, at the end "N passed, M failed".
# A binary of Criterion counts as many tests as it says ("Synthesis: Tested: 12 | Passing: 12 | Failing: 0 | Crashing: 0");
# anything else is one test.  A binary that failed although its tests passed (it leaked, ran out of time, left
# something behind) is one failure more; so is a test that did not run.  Status 1 when something failed or nothing ran.
# A second report has what was run again: its word counts, and what passed only then is named.
function attribute(name,    at, text) {
    at = index($0, " " name "=\"")
    if (!at) return ""
    text = substr($0, at + length(name) + 3)
    return substr(text, 1, index(text, "\"") - 1)
}
function number(word,    text) {
    text = $0
    if (!match(text, word ": *[^0-9]*[0-9]+")) return 0
    text = substr(text, RSTART, RLENGTH)
    sub(/.*[^0-9]/, "", text)
    return text + 0
}
/<testcase / {
    name = attribute("name"); state = attribute("status"); seconds = attribute("time")
    good = bad = 0; criterion = 0
    if ($0 ~ /\/>[ \t]*$/) finish()
}
/Synthesis: Tested:/ {
    gsub(/\033?\[[0-9;]*m/, "")
    criterion = 1; good += number("Passing"); bad += number("Failing") + number("Crashing")
}
/<\/testcase>/ { finish() }
function finish() {
    if (name == "") return
    if (state == "run") {
        if (!criterion) good = 1
        if (criterion && good + bad == 0) bad = 1
    } else {
        if (!criterion) good = 0
        if (bad == 0) bad = 1
    }
    if (bad == 0 && bads[name] > 0) printf "PASSED ONLY WHEN RUN AGAIN, ALONE: %s\n", name
    if (!(name in goods)) names[++count] = name
    goods[name] = good; bads[name] = bad
    line[name] = sprintf("FAILED %s (%s, %d of its tests, %s s)", name, state, bad, seconds); name = ""
}
END {
    for (i = 1; i <= count; i++) {
        if (bads[names[i]] > 0) print line[names[i]]
        passed += goods[names[i]]; failed += bads[names[i]]
    }
    if (passed + failed == 0) { print "no tests ran"; failed = 1 }
    if (status != 0 && failed == 0) { printf "ctest ended with status %d\n", status; failed = 1 }
    printf "%d passed, %d failed\n", passed, failed
    exit failed > 0
}
