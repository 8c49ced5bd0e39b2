# Lines over 100 characters (but between clang-format off and on), and functions over 70 lines but those of the list (-v known=FILE), whose lengths
# may only fall. Relies on the format of .clang-format: a function's braces stand alone in the first column.
# Prints "file:line: what" for each violation; -v update=1 prints the list as it stands instead.

BEGIN {
    limit = 70
    while ((getline line < known) > 0) {
        if (line ~ /^#/ || split(line, words, "\t") != 3)
            continue
        allowed[words[1] "\t" words[2]] = words[3]
    }
}

FNR == 1 { signature = ""; open_line = 0; off = 0 }
/clang-format off/ { off = 1 }
/clang-format on/ { off = 0 }

!update && !off {
    line = $0
    sub(/ \\$/, "", line) # clang-format may set the backslash of a macro behind the limit
    if (length(line) > 100)
        printf "%s:%d: %d characters\n", FILENAME, FNR, length(line)
}

/^[A-Za-z_].*\(/ && !/;$/ && !/^#/ && !open_line {
    signature = $0
    sub(/\(.*/, "", signature)
    sub(/.*[ \t*]/, "", signature)
}

/^\{/ { open_line = FNR }

/^\}/ && open_line {
    lines = FNR - open_line - 1
    key = FILENAME "\t" signature
    if (lines > limit && update)
        printf "%s\t%d\n", key, lines
    else if (lines > limit && !(key in allowed))
        printf "%s:%d: %s has %d lines; the limit is %d\n", FILENAME, open_line, signature, lines, limit
    else if (lines > limit && lines > allowed[key])
        printf "%s:%d: %s grew from %d to %d lines\n", FILENAME, open_line, signature, allowed[key], lines
    else if (lines > limit && lines < allowed[key])
        printf "%s:%d: %s shrank to %d lines: lower its number in %s\n", FILENAME, open_line, signature, lines, known
    if (lines > limit)
        seen[key] = 1
    open_line = 0
}

END {
    if (update)
        exit
    for (key in allowed) {
        split(key, words, "\t")
        if (!(key in seen))
            printf "%s:0: no function %s in %s is too long: remove its line\n", known, words[2], words[1]
    }
}
