# Checks the #include lines of the files given, named from the root of the tree:
# the order of the storeys, written-from-the-root paths, and outside libraries (-v libraries=FILE).
# Prints "file:line: what" for each violation.

function rank(path)
{
    if (path ~ /^core\//) return 1
    if (path ~ /^crypto\//) return 2
    if (path ~ /^net\//) return 3
    if (path ~ /^shards\//) return 4
    if (path ~ /^node\//) return 5
    return 0
}

function part_of_net(path, words)
{
    split(path, words, "/")
    return words[1] == "net" ? words[2] : ""
}

function complain(what)
{
    printf "%s:%d: %s\n", FILENAME, FNR, what
}

BEGIN {
    while ((getline line < libraries) > 0) {
        if (line ~ /^#/ || split(line, words, "\t") != 2)
            continue
        header[++rules] = words[1]
        user[rules] = words[2]
    }
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
    own = rank(FILENAME)
    split($0, words, "\"")
    path = words[2]
    if (path ~ /^(perf|tests)\//)
        complain("nothing includes perf/ or tests/")
    else if (rank(path) == 0)
        complain("\"" path "\" is not written from the root of a folder")
    else if (rank(path) > own)
        complain("includes " path ", which is above it")
    else if (own == 3 && rank(path) == 3 && part_of_net(FILENAME) != part_of_net(path))
        complain("net/" part_of_net(FILENAME) " includes net/" part_of_net(path))
}

/^[ \t]*#[ \t]*include[ \t]*</ {
    path = $0
    sub(/^[^<]*</, "", path)
    sub(/>.*/, "", path)
    known = 0
    for (i = 1; i <= rules; i++) {
        if (path !~ header[i])
            continue
        known = 1
        if (FILENAME !~ user[i])
            complain("<" path "> is included by " user[i] " only")
    }
    if (!known)
        complain("<" path "> has no row in tests/tidy/libraries.tsv")
}
